"""Residual blocks of the variational autoencoders, and the initialization of their weights."""

from torch import nn

SLOPE = 0.2  # of LeakyReLU below zero (we; K does not say)


def he_convolution(n_inputs, n_outputs, kernel_size, *, rectified, bias=True):
    """A convolution that keeps the size of an image and, at first, the variance of its values.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    kernel_size : int
        Odd, pixels.
    rectified : bool
        Whether LeakyReLU follows: it takes away part of the variance, which the weights make up for.
    bias : bool, default=True
        Zero at first.

    Returns
    -------
    torch.nn.Conv2d

    References
    ----------
    He, Zhang, Ren, Sun, ICCV 2015, eqs. (10) and (15).
    """
    layer = nn.Conv2d(n_inputs, n_outputs, kernel_size, padding=kernel_size // 2, bias=bias)
    nn.init.kaiming_normal_(layer.weight, a=SLOPE, nonlinearity="leaky_relu" if rectified else "linear")
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Two [3x3 convolution, batch norm, LeakyReLU] beside a connection that skips them (K, III-C.1).

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels. Where they differ the skipping connection is a 1x1 convolution and batch norm (He et al.
        2016).

    Examples
    --------
    >>> import torch
    >>> ResidualBlock(3, 8)(torch.zeros(2, 3, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.n_inputs, self.n_outputs = n_inputs, n_outputs
        self.body = nn.Sequential(
            *normalized_layer(n_inputs, n_outputs), *normalized_layer(n_outputs, n_outputs)
        )
        self.skip = nn.Identity() if n_inputs == n_outputs else _projection(n_inputs, n_outputs)

    def forward(self, features):
        """Features (n, n_inputs, height, width) to (n, n_outputs, height, width)."""
        return self.skip(features) + self.body(features)


def normalized_layer(n_inputs, n_outputs):
    """3x3 convolution, batch norm and LeakyReLU."""
    convolution = he_convolution(n_inputs, n_outputs, 3, rectified=True, bias=False)
    return convolution, nn.BatchNorm2d(n_outputs), nn.LeakyReLU(SLOPE, inplace=True)


def _projection(n_inputs, n_outputs):
    convolution = he_convolution(n_inputs, n_outputs, 1, rectified=False, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(n_outputs))
