"""How unusual every contrast of a pixel is given its others, under a Gaussian mixture: maps for a network."""

import torch
from torch import nn

LARGEST = 8.0  # standard deviations at which maps are clipped


class ConditionalMaps(nn.Module):
    """One map per contrast: its standardized residual given the other contrasts.

    Parameters
    ----------
    n_contrasts : int
        With one contrast the map is the standardized intensity under the mixture.
    n_components : int, default=3
        Gaussians of the mixture; :meth:`set_mixture` says which.

    Notes
    -----
    With precision P_k (the inverse covariance) and ``y_k = P_k (x - m_k)``, the standardized residual of
    contrast c given the others is ``z_kc = y_kc / sqrt(P_k,cc)`` in component k. Leaving the factor of c out
    of the joint density gives the responsibilities given the others,
    ``log r_kc = log w_k + log N(x; m_k, S_k) + (z_kc^2 - log P_k,cc) / 2``, up to a constant, and the map is
    ``sum_k r_kc z_kc``.

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, eqs. 2.75 to 2.78.

    Examples
    --------
    >>> import torch
    >>> maps = ConditionalMaps(2, 1)
    >>> maps.set_mixture([1.0], [[0.0, 0.0]], [[[1.0, 0.6], [0.6, 1.0]]])
    >>> maps(torch.tensor([1.4, 1.0]).view(1, 2, 1, 1)).flatten()
    tensor([1.0000, 0.2000])
    """

    def __init__(self, n_contrasts, n_components=3):
        super().__init__()
        self.n_contrasts, self.n_components = n_contrasts, n_components
        self.register_buffer("log_weights", torch.zeros(n_components))
        self.register_buffer("means", torch.zeros(n_components, n_contrasts))
        self.register_buffer("precisions", torch.eye(n_contrasts).repeat(n_components, 1, 1))

    def set_mixture(self, weights, means, covariances):
        """Take over a mixture.

        Parameters
        ----------
        weights : array-like of shape (n_components,)
        means : array-like of shape (n_components, n_contrasts)
        covariances : array-like of shape (n_components, n_contrasts, n_contrasts)
        """
        covariances = torch.as_tensor(covariances, dtype=torch.float64)
        self.log_weights.copy_(torch.as_tensor(weights, dtype=torch.float64).log())
        self.means.copy_(torch.as_tensor(means))
        self.precisions.copy_(torch.linalg.inv(covariances))

    def forward(self, images):
        """The maps.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)

        Returns
        -------
        Tensor of shape (n, n_contrasts, height, width), float32
            Within -8 and 8 standard deviations.
        """
        with torch.autocast(images.device.type, enabled=False):
            offsets = images.float()[:, None] - self.means[:, :, None, None]
            y = torch.einsum("kij,nkjhw->nkihw", self.precisions, offsets)
            variances = self.precisions.diagonal(dim1=1, dim2=2)
            z = y / variances.sqrt()[:, :, None, None]
            log_joint = self.log_weights + 0.5 * torch.logdet(self.precisions)
            log_joint = log_joint[:, None, None] - 0.5 * (offsets * y).sum(2)
            log_shares = log_joint[:, :, None] + 0.5 * (z.square() - variances.log()[:, :, None, None])
            return (log_shares.softmax(1) * z).sum(1).clamp(-LARGEST, LARGEST)
