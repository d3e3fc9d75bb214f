"""U-Net: fine detail through skip connections, context from coarser levels (Ronneberger et al. 2015)."""

import torch
import torch.nn.functional as F
from torch import nn

WIDEST = 8  # the coarse levels stop doubling at this multiple of the first width


class UNet(nn.Module):
    """A map per output channel of the size of the image, whatever that size is.

    Parameters
    ----------
    n_inputs : int
        Input channels.
    n_outputs : int
        Output channels.
    width : int, default=16
        Feature maps of the finest level; they double per level, up to 8 times as many.
    depth : int, default=4
        Halvings of the resolution.

    Notes
    -----
    We: nearest upsampling, whose gradient is deterministic on a GPU; the last layer in float32, so that under
    bf16 autocast an output keeps its digits (a score with 8 bits has ties).

    References
    ----------
    Ronneberger, Fischer, Brox, MICCAI 2015.

    Examples
    --------
    >>> import torch
    >>> UNet(3, 1, width=4, depth=2).eval()(torch.zeros(2, 3, 13, 10)).shape
    torch.Size([2, 1, 13, 10])
    """

    def __init__(self, n_inputs, n_outputs, *, width=16, depth=4):
        super().__init__()
        # what it was built with stays readable: skad.save rebuilds a module from these
        self.n_inputs, self.n_outputs = n_inputs, n_outputs
        self.width, self.depth = width, depth
        widths = [width * min(2**level, WIDEST) for level in range(depth + 1)]
        self.down = nn.ModuleList(
            self._block(a, b) for a, b in zip([n_inputs, *widths], widths, strict=False)
        )
        coarse, fine = widths[:0:-1], widths[-2::-1]
        self.up = nn.ModuleList(self._block(a + b, b) for a, b in zip(coarse, fine, strict=True))
        self.head = nn.Conv2d(width, n_outputs, 1)
        self.to(memory_format=torch.channels_last)  # convolutions run faster so

    def _block(self, n_inputs, n_outputs):
        """What every level does: two convolutions."""
        return nn.Sequential(*_layer(n_inputs, n_outputs), *_layer(n_outputs, n_outputs))

    def features(self, images):
        """The maps before the last layer.

        Parameters
        ----------
        images : Tensor of shape (n, n_inputs, height, width)

        Returns
        -------
        Tensor of shape (n, width of the finest level, height, width)
        """
        skips = []
        for block in self.down:
            images = block(F.max_pool2d(images, 2, ceil_mode=True) if skips else images)
            skips.append(images)
        for block, skip in zip(self.up, skips[-2::-1], strict=True):
            images = block(torch.cat([F.interpolate(images, size=skip.shape[-2:]), skip], dim=1))
        return images

    def forward(self, images):
        """The output maps.

        Parameters
        ----------
        images : Tensor of shape (n, n_inputs, height, width)

        Returns
        -------
        Tensor of shape (n, n_outputs, height, width), float32
        """
        features = self.features(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.head(features.to(self.head.weight.dtype))


def _layer(n_inputs, n_outputs):
    convolution = nn.Conv2d(n_inputs, n_outputs, 3, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(n_outputs), nn.LeakyReLU(0.1, inplace=True)
