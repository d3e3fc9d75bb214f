"""Gaussian mixtures over the pixels of feature maps: the fit to many slices, the energy of every pixel."""

from skad.mixture.energy import energy
from skad.mixture.sufficient_statistics import SufficientStatistics


def foreground_pixels(maps, foreground):
    """Select the features of the foreground pixels.

    Parameters
    ----------
    maps : Tensor of shape (n, n_features, height, width)
        Features of the pixels.
    foreground : bool Tensor of shape (n, 1, height, width)
        True in the foreground.

    Returns
    -------
    Tensor of shape (n_pixels, n_features)
        One row per foreground pixel, slice by slice.

    See Also
    --------
    skad.mixture.energy : Takes the pixels.

    Examples
    --------
    >>> import torch
    >>> from skad.mixture import foreground_pixels
    >>> foreground = torch.tensor([[[[True, False, True]]]])
    >>> foreground_pixels(torch.arange(6.0).view(1, 2, 1, 3), foreground)
    tensor([[0., 3.],
            [2., 5.]])
    """
    return maps.permute(0, 2, 3, 1)[foreground[:, 0]]


def stream_mixture(batches, n_components, n_features, *, merge=None):
    """Estimate the mixture of all pixels of all batches in one pass (A, 2.2.3).

    Parameters
    ----------
    batches : iterable of pairs of Tensors
        Features (n_pixels, n_features) and responsibilities (n_pixels, n_components).
    n_components, n_features : int
        Numbers of components and of features.
    merge : callable, default=None
        ``merge(statistics)`` -> :class:`SufficientStatistics` of the batches of all processes.

    Returns
    -------
    weights, means, covariances : float64 Tensors on the CPU
        Parameters of the mixture, in the shapes of :func:`skad.mixture.mixture_moments`.

    See Also
    --------
    skad.mixture.SufficientStatistics : What is accumulated.
    skad.mixture.mixture_moments : The moments of pixels in memory.

    Examples
    --------
    >>> import torch
    >>> batches = [(torch.zeros(1, 1), torch.ones(1, 1)), (torch.ones(3, 1), torch.ones(3, 1))]
    >>> stream_mixture(batches, n_components=1, n_features=1)[1].item()
    0.75
    """
    statistics = SufficientStatistics(n_components, n_features)
    for features, responsibilities in batches:
        statistics.update(features, responsibilities)
    return (statistics if merge is None else merge(statistics)).parameters()


def energy_map(maps, foreground, weights, means, covariances):
    """Energy of every foreground pixel (A, eq. 12).

    Parameters
    ----------
    maps : Tensor of shape (n, n_features, height, width)
        Features of the pixels.
    foreground : bool Tensor of shape (n, 1, height, width)
        True in the foreground.
    weights : Tensor of shape (n_components,)
        Weights of the components, on the device of `maps`.
    means : Tensor of shape (n_components, n_features)
        Means of the components, on the same device.
    covariances : Tensor of shape (n_components, n_features, n_features)
        Covariances of the components, positive definite, on the same device.

    Returns
    -------
    Tensor of shape (n, height, width)
        Energies in nats; 0 in the background.

    See Also
    --------
    skad.mixture.energy : The same for a list of pixels.

    Examples
    --------
    >>> import torch
    >>> from skad.mixture import energy_map
    >>> standard = torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None]
    >>> foreground = torch.tensor([[[[True, False]]]])
    >>> energy_map(torch.zeros(1, 2, 1, 2), foreground, *standard)
    tensor([[[1.8379, 0.0000]]])
    """
    energies = maps.new_zeros(foreground[:, 0].shape)
    energies[foreground[:, 0]] = energy(foreground_pixels(maps, foreground), weights, means, covariances).to(
        energies.dtype
    )
    return energies
