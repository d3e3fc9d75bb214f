"""Deep SVDD: features of every pixel near one center, and the two objectives that draw them there."""

from itertools import pairwise

import torch
from torch import nn

from skad.nn.background import foreground_mean

SLOPE = 0.1  # of LeakyReLU below zero (Ruff et al., section 4)


class HypersphereNetwork(nn.Module):
    """Features of every pixel at full resolution, the center they are drawn to, and the radius around it.

    With biases, or with a bounded activation that saturates, a network could map every image onto the center
    without looking at it (Ruff et al., propositions 2 and 3). So there are neither biases nor normalization,
    and the rectifiers are leaky. Beyond the border the outermost pixels are repeated. (We)

    Parameters
    ----------
    n_contrasts : int
    n_features : int, default=32
        Dimensions of the hypersphere.
    width : int, default=16
        Feature maps of the hidden layers.
    depth : int, default=4
        Number of 3x3 convolutions; each is dilated twice as much as the one before, so that a pixel's
        features see ``2 ** (depth + 1) - 1`` pixels across.

    Attributes
    ----------
    layers : (n, n_contrasts, height, width) -> (n, n_features, height, width)
    center : Tensor of shape (n_features,)
    squared_radius : Tensor of shape ()
        R^2; 0 until it is set.

    Examples
    --------
    >>> HypersphereNetwork(2, n_features=8)(torch.zeros(3, 2, 9, 7)).shape
    torch.Size([3, 8, 9, 7])
    """

    def __init__(self, n_contrasts, n_features=32, *, width=16, depth=4):
        super().__init__()
        self.n_contrasts, self.n_features, self.width, self.depth = n_contrasts, n_features, width, depth
        self.layers = _dilated_convolutions([n_contrasts, *[width] * (depth - 1), n_features])
        self.register_buffer("center", torch.zeros(n_features))
        self.register_buffer("squared_radius", torch.zeros(()))

    def forward(self, images):
        """Features (n, n_features, height, width) of images (n, n_contrasts, height, width)."""
        return self.layers(images).float()

    def squared_distances(self, images):
        """Squared distance of every pixel's features from the center, shape (n, height, width)."""
        return (self(images) - self.center[:, None, None]).square().sum(dim=1)


def push_from_zero(center, margin=0.1):
    """Move the coordinates within ``margin`` of zero to it, keeping their sign (zero goes up).

    A coordinate of zero would be reached by weights of zero (Ruff et al., proposition 1).

    Examples
    --------
    >>> push_from_zero(torch.tensor([-2.0, -0.01, 0.0, 0.05, 0.1]))
    tensor([-2.0000, -0.1000,  0.1000,  0.1000,  0.1000])
    """
    pushed = torch.where(center < 0, -margin, margin).to(center)
    return torch.where(center.abs() < margin, pushed, center)


def one_class_loss(squared_distances, foreground):
    """Mean squared distance from the center (Ruff et al., eq. 4; weight decay is the optimizer's).

    Parameters
    ----------
    squared_distances : Tensor of shape (n, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape ()
    """
    return foreground_mean(squared_distances[:, None], foreground)


def soft_boundary_loss(squared_distances, foreground, squared_radius, nu):
    """R^2 + 1/nu times the mean excess over it (Ruff et al., eq. 3; weight decay is the optimizer's).

    Parameters
    ----------
    squared_distances : Tensor of shape (n, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    squared_radius : Tensor of shape () or float
    nu : float
        Share of the pixels that may lie outside.

    Returns
    -------
    Tensor of shape ()
    """
    excess = (squared_distances - squared_radius).clamp(min=0)
    return squared_radius + one_class_loss(excess, foreground) / nu


def _dilated_convolutions(channels):
    layers = []
    for level, (before, after) in enumerate(pairwise(channels)):
        convolution = nn.Conv2d(
            before,
            after,
            3,
            dilation=2**level,
            padding=2**level,
            padding_mode="replicate",
            bias=False,
        )
        nn.init.kaiming_normal_(convolution.weight, a=SLOPE, nonlinearity="leaky_relu")
        layers += [convolution, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1])
