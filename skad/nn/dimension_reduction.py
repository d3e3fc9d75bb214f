"""Few features per pixel from many contrasts, and the component each pixel belongs to (A, 2.2.2-2.2.3)."""

from itertools import pairwise

from torch import nn


class DimensionReducer(nn.Module):
    """Few feature maps from the contrasts by 3x3 convolutions, and the contrasts back by 1x1 (A, eq. 6-7).

    Since the way back (F_dr) sees one pixel only, a pixel's features have to keep what belongs to that pixel.
    The way there (G_dr) has no normalization (We): a feature depends on surroundings up to ``depth`` pixels
    away and never on the rest of the slice, so neither background nor a lesion elsewhere changes it.  Both
    end linearly.

    Parameters
    ----------
    n_contrasts : int
    n_features : int, default=3
    width : int, default=32
        Channels between.  A gives width and depth in a supplement only; the defaults are ours.
    depth : int, default=3
        Number of 3x3 convolutions.
    decoder_depth : int, default=2
        Number of 1x1 convolutions.

    Attributes
    ----------
    encoder : G_dr, (n, n_contrasts, height, width) -> (n, n_features, height, width)
    decoder : F_dr, (n, n_features, height, width) -> (n, n_contrasts, height, width)

    Examples
    --------
    >>> import torch
    >>> features, reconstruction = DimensionReducer(n_contrasts=4)(torch.zeros(2, 4, 9, 7))
    >>> features.shape, reconstruction.shape
    (torch.Size([2, 3, 9, 7]), torch.Size([2, 4, 9, 7]))
    """

    def __init__(self, n_contrasts, n_features=3, *, width=32, depth=3, decoder_depth=2):
        super().__init__()
        self.encoder = convolutions([n_contrasts, *[width] * (depth - 1), n_features], kernel_size=3)
        self.decoder = convolutions([n_features, *[width] * (decoder_depth - 1), n_contrasts], kernel_size=1)

    def forward(self, images):
        """Reduce images and rebuild them.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Background filled; height and width from 2.

        Returns
        -------
        features : Tensor of shape (n, n_features, height, width)
        reconstruction : Tensor of shape (n, n_contrasts, height, width)
        """
        features = self.encoder(images)
        return features, self.decoder(features)


class ResponsibilityNetwork(nn.Sequential):
    """G_de: the probability that a pixel belongs to each component, from its features alone (A, eq. 8).

    A 1x1 convolution is a linear map of each pixel's features.  We apply it to the features on the last axis,
    so that the caller hands over foreground pixels only, in the layout of `skad.mixture`.  Tanh between, as
    in the estimation network of DAGMM that A builds on.

    Parameters
    ----------
    n_features : int
    n_components : int, default=6
    width : int, default=32

    References
    ----------
    Zong et al. (2018). Deep autoencoding Gaussian mixture model for unsupervised anomaly detection. ICLR.

    Examples
    --------
    >>> import torch
    >>> responsibilities = ResponsibilityNetwork(n_features=7)(torch.randn(100, 7))
    >>> responsibilities.shape, torch.allclose(responsibilities.sum(dim=1), torch.ones(100))
    (torch.Size([100, 6]), True)
    """

    def __init__(self, n_features, n_components=6, *, width=32):
        layers = nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_components), nn.Softmax(dim=-1)
        super().__init__(*layers)


def convolutions(channels, kernel_size):
    """Convolutions from each number of channels to the next at constant size, rectifiers between them."""
    layers = []
    for before, after in pairwise(channels):
        convolution = nn.Conv2d(before, after, kernel_size, padding=kernel_size // 2, padding_mode="reflect")
        layers += [convolution, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])
