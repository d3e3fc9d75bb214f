"""Contrast-to-contrast translation: one contrast of a slice from all the others (A, section 2.2.1)."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional

NORMALIZATIONS = {"batch": nn.BatchNorm2d, "instance": partial(nn.InstanceNorm2d, affine=True)}
SMALLEST_SIDE = 5
"""In pixels: reflection padding by 4, as a 9x9 convolution needs it, takes a fifth pixel to reflect at."""


class TranslationNetwork(nn.Module):
    """Generates any contrast from the others, with the layers of Johnson et al. 2016 (A, Fig. 3).

    The target contrast is replaced by an image of its median, which also joins the features before the last
    convolution (A, eq. 2-3). The channel that holds the constant tells the network which contrast to
    generate; its value tells how bright.

    We differ from Johnson in two places.  Upsampling is by nearest neighbor and convolution, which leaves no
    checkerboard; and the output is linear, because standardized images have no bounds.  Johnson's
    normalization, over the batch, is the default.  Instance normalization, its later substitute in style
    transfer, subtracts the mean of every feature map, and with it all that the constant median image adds to
    the first layer; besides, its statistics depend on how much of the slice is background or lesion, so that
    a lesion would change the reference everywhere.  Batch statistics are fixed after training: each output
    pixel depends on its surroundings only.

    Parameters
    ----------
    n_contrasts : int
        At least 2.
    width : int, default=32
        Channels after the first convolution, doubled by each of the two stride-2 convolutions.
    n_blocks : int, default=5
        Residual blocks at a quarter of the resolution.
    normalization : {"batch", "instance"}, default="batch"
    neighbors : bool, default=False
        Look at the other contrasts of the slices below and above, too. The target contrast is hidden in all
        three slices: a lesion that goes on in a neighbor is not copied from there. (We)

    References
    ----------
    Johnson, Alahi, Fei-Fei (2016). Perceptual losses for real-time style transfer and super-resolution. ECCV.

    Examples
    --------
    >>> network = TranslationNetwork(n_contrasts=3, width=4, n_blocks=1).eval()
    >>> images = torch.randn(2, 3, 17, 22)
    >>> medians = images.flatten(2).median(dim=2).values
    >>> network(images, medians, target=torch.tensor([0, 2])).shape
    torch.Size([2, 1, 17, 22])
    >>> network.translate_all(images, medians).shape
    torch.Size([2, 3, 17, 22])
    """

    def __init__(self, n_contrasts, *, width=32, n_blocks=5, normalization="batch", neighbors=False):
        super().__init__()
        # what it was built with stays readable: skad.save rebuilds a module from these
        self.n_contrasts = n_contrasts
        self.width = width
        self.n_blocks = n_blocks
        self.normalization = normalization
        self.neighbors = neighbors
        norm = NORMALIZATIONS[normalization]
        self.body = nn.Sequential(
            *_convolution((3 if neighbors else 1) * n_contrasts, width, 9, norm),
            *_convolution(width, 2 * width, 3, norm, stride=2),
            *_convolution(2 * width, 4 * width, 3, norm, stride=2),
            *(_ResidualBlock(4 * width, norm) for _ in range(n_blocks)),
            nn.Upsample(scale_factor=2),
            *_convolution(4 * width, 2 * width, 3, norm),
            nn.Upsample(scale_factor=2),
            *_convolution(2 * width, width, 3, norm),
        )
        self.head = nn.Conv2d(width + 1, 1, 9, padding=4, padding_mode="reflect")
        self.to(memory_format=torch.channels_last)  # convolutions run faster so

    def forward(self, images, medians, target):
        """Generate the target contrast of every image.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Background filled; any height and width from 5.  What the target contrast holds is not looked at,
            not even NaN.  Or slices with their neighbors (n, 3, n_contrasts, height, width); a slice without
            neighbors is its own, and a network without neighbors looks at the slice alone.
        medians : Tensor of shape (n, n_contrasts)
            Median of every contrast over the foreground.
        target : int64 Tensor of shape (n,)
            Index of the contrast to generate.

        Returns
        -------
        Tensor of shape (n, 1, height, width)

        Raises
        ------
        ValueError
            If a side has fewer than 5 pixels.
        """
        shown, median_images = _hide_target(self._seen(images), medians, target)
        height, width = images.shape[-2:]
        shown, median_images = _pad_to_multiple_of_four(shown), _pad_to_multiple_of_four(median_images)
        translated = self.head(torch.cat([self.body(shown), median_images], dim=1))
        return translated[..., :height, :width]

    def translate_all(self, images, medians):
        """Generate each contrast from the others, all in one pass (A, eq. 4).

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width) or (n, 3, n_contrasts, height, width)
        medians : Tensor of shape (n, n_contrasts)

        Returns
        -------
        Tensor of shape (n, n_contrasts, height, width)
        """
        n, n_contrasts = medians.shape
        target = torch.arange(n_contrasts, device=images.device).repeat(n)
        repeated = images.repeat_interleave(n_contrasts, dim=0), medians.repeat_interleave(n_contrasts, dim=0)
        return self(*repeated, target).view(n, n_contrasts, *images.shape[-2:])

    def _seen(self, images):
        """What the network looks at, shape (n, 3 or 1, n_contrasts, height, width)."""
        series = images if images.dim() == 5 else images[:, None]
        return series.expand(-1, 3, -1, -1, -1) if self.neighbors else series[:, :1]


class _ResidualBlock(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        # No rectifier after the sum, as in Johnson.
        self.body = nn.Sequential(
            *_convolution(channels, channels, 3, norm), *_convolution(channels, channels, 3, norm)[:-1]
        )

    def forward(self, features):
        return features + self.body(features)


def _convolution(n_in, n_out, kernel_size, norm, stride=1):
    """Convolution, normalization and rectifier; reflection at the border keeps constant images constant."""
    padding = {"padding": kernel_size // 2, "padding_mode": "reflect"}
    return nn.Conv2d(n_in, n_out, kernel_size, stride, bias=False, **padding), norm(n_out), nn.ReLU()


def _hide_target(series, medians, target):
    """Channels of all slices, the target contrast replaced by its median; the median images (n, 1, H, W)."""
    median = medians.gather(1, target[:, None])[:, :, None, None]
    contrast = torch.arange(series.shape[2], device=series.device)
    is_target = (contrast == target[:, None])[:, None, :, None, None]
    shown = torch.where(is_target, median[:, None], series)
    return shown.flatten(1, 2), median.expand(-1, 1, *series.shape[-2:])


def _pad_to_multiple_of_four(images):
    height, width = images.shape[-2:]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"Images should be at least {SMALLEST_SIDE} pixels high and wide, got {height} x {width}."
        )
    return functional.pad(images, (0, -width % 4, 0, -height % 4), mode="reflect")
