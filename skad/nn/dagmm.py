"""The networks of the deep autoencoding Gaussian mixture model, pixel by pixel (Zong et al. 2018)."""

import torch
import torch.nn.functional as F
from torch import nn

from skad.nn.dimension_reduction import convolutions

_SMALLEST_NORM = 1e-6


def reconstruction_features(images, reconstruction):
    """How a pixel's contrasts differ from their reconstruction: z_r (Zong et al., section 3.1).

    Parameters
    ----------
    images, reconstruction : Tensor of shape (n, n_contrasts, height, width)

    Returns
    -------
    Tensor of shape (n, 2, height, width)
        Relative Euclidean distance ``|x - x'| / |x|``, and cosine similarity of x and x'.

    Examples
    --------
    >>> x, rebuilt = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 0.0])
    >>> reconstruction_features(x.view(1, 2, 1, 1), rebuilt.view(1, 2, 1, 1)).flatten()
    tensor([0.8000, 0.6000])
    """
    norm = torch.linalg.vector_norm(images, dim=1).clamp_min(_SMALLEST_NORM)
    distance = torch.linalg.vector_norm(images - reconstruction, dim=1) / norm
    similarity = F.cosine_similarity(images, reconstruction, dim=1, eps=_SMALLEST_NORM**2)
    return torch.stack([distance, similarity], dim=1)


class DAGMMNetwork(nn.Module):
    """Compression and estimation network.

    Parameters
    ----------
    n_contrasts : int
    n_features : int, default=2
        Latent features z_c of a pixel.
    n_components : int, default=4
    width : int, default=16
        Hidden feature maps.
    dropout : float, default=0.5
        Share of the estimation network's hidden features that a training step leaves out.
    convolutional : bool, default=False
        3x3 convolutions in the autoencoder instead of 1x1.

    Attributes
    ----------
    encoder : (n, n_contrasts, height, width) -> (n, n_features, height, width)
    decoder : (n, n_features, height, width) -> (n, n_contrasts, height, width)
    estimation : (n_pixels, n_features + 2) -> (n_pixels, n_components)
    origin : Tensor of shape (n_contrasts,)
        Intensities from which the lengths and angles of z_r are measured.

    Examples
    --------
    >>> maps, reconstruction = DAGMMNetwork(3)(torch.zeros(2, 3, 9, 7))
    >>> maps.shape, reconstruction.shape
    (torch.Size([2, 4, 9, 7]), torch.Size([2, 3, 9, 7]))
    """

    def __init__(
        self, n_contrasts, n_features=2, n_components=4, *, width=16, dropout=0.5, convolutional=False
    ):
        super().__init__()
        self.n_contrasts, self.n_features, self.n_components = n_contrasts, n_features, n_components
        self.width, self.dropout, self.convolutional = width, dropout, convolutional
        self.n_density_features = n_features + 2
        kernel_size = 3 if convolutional else 1
        self.encoder = convolutions([n_contrasts, width, width, n_features], kernel_size=kernel_size)
        self.decoder = convolutions([n_features, width, width, n_contrasts], kernel_size=kernel_size)
        self.estimation = nn.Sequential(
            nn.Linear(self.n_density_features, width),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(width, n_components),
            nn.Softmax(dim=-1),
        )
        self.register_buffer("origin", torch.zeros(n_contrasts))

    def forward(self, images):
        """Features of the density, and the images rebuilt.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)

        Returns
        -------
        maps : Tensor of shape (n, n_features + 2, height, width)
            The latent features, relative distance, cosine similarity.
        reconstruction : Tensor of shape (n, n_contrasts, height, width)
        """
        latent = self.encoder(images)
        reconstruction = self.decoder(latent).float()
        origin = self.origin[:, None, None]
        difference = reconstruction_features(images - origin, reconstruction - origin)
        return torch.cat([latent.float(), difference], dim=1), reconstruction

    def responsibilities(self, features):
        """Membership (n_pixels, n_components) of pixels (n_pixels, n_features + 2); rows sum to one."""
        return self.estimation(features)
