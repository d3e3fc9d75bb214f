"""Gaussian mixtures over the pixels of feature maps: the fit to many slices, the energy of every pixel."""

from skad.mixture.energy import energy
from skad.mixture.sufficient_statistics import SufficientStatistics


def foreground_pixels(maps, foreground):
    """The features of the foreground pixels.

    Parameters
    ----------
    maps : Tensor of shape (n, n_features, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape (n_pixels, n_features)
    """
    return maps.permute(0, 2, 3, 1)[foreground[:, 0]]


def stream_mixture(batches, n_components, n_features, *, merge=None):
    """The mixture of all pixels of all batches in one pass (A, 2.2.3).

    Parameters
    ----------
    batches : iterable of pairs of Tensors
        Features (n_pixels, n_features) and responsibilities (n_pixels, n_components).
    n_components, n_features : int
    merge : callable, default=None
        ``merge(statistics)`` -> :class:`SufficientStatistics` of the batches of all processes.

    Returns
    -------
    weights, means, covariances : float64 Tensors on the CPU
        In the shapes of :func:`skad.mixture.mixture_moments`.

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
    foreground : bool Tensor of shape (n, 1, height, width)
    weights, means, covariances : Tensors on the device of maps
        As in :func:`skad.mixture.energy`.

    Returns
    -------
    Tensor of shape (n, height, width)
        0 in the background.
    """
    energies = maps.new_zeros(foreground[:, 0].shape)
    energies[foreground[:, 0]] = energy(foreground_pixels(maps, foreground), weights, means, covariances).to(
        energies.dtype
    )
    return energies
