"""The network that segments synthetic lesions: a U-Net on a slice and on maps that are made from it."""

import torch
from torch import nn

from skad.nn.atlas_maps import AtlasMaps
from skad.nn.conditional_maps import ConditionalMaps
from skad.nn.gaussian_blur import gaussian_blur
from skad.nn.mirror_maps import mirror_maps
from skad.nn.unet import UNet

INPUTS = ("image", "reference", "neighbors", "conditional", "position", "mirror", "atlas")
_PER_CONTRAST = {"neighbors": 2}  # maps of an input, for each contrast; 1 for the others
_N_POSITION = 3


class LesionNetwork(nn.Module):
    """Logits of a lesion at every pixel.

    Parameters
    ----------
    n_contrasts : int
        Contrasts of a slice.
    inputs : tuple of str, default=("image",)
        What the U-Net looks at: "image", "reference", "neighbors", "conditional", "position", "mirror" or
        "atlas". "conditional" stands for :class:`ConditionalMaps`, whose mixture is to be set before
        training; "position" for :func:`position_maps`; "mirror" for :func:`mirror_maps`; "atlas" for
        :class:`AtlasMaps`, which is to be shown normal slices before training.
    size : (int, int), default=None
        Height and width of the slices, where "atlas" is an input; other slices are refused then.
    n_components : int, default=3
        Gaussians of the conditional maps.
    width, depth : int, default=16, 4
        As in :class:`UNet`.

    Examples
    --------
    >>> import torch
    >>> network = LesionNetwork(2, ("image", "position"), width=4, depth=1).eval()
    >>> network(torch.zeros(3, 2, 7, 9), torch.ones(3, 1, 7, 9, dtype=torch.bool)).shape
    torch.Size([3, 1, 7, 9])
    """

    def __init__(self, n_contrasts, inputs=("image",), *, size=None, n_components=3, width=16, depth=4):
        super().__init__()
        self.n_contrasts, self.inputs, self.n_components = n_contrasts, inputs, n_components
        self.size, self.width, self.depth = size, width, depth
        n_channels = sum(
            _N_POSITION if name == "position" else _PER_CONTRAST.get(name, 1) * n_contrasts for name in inputs
        )
        self.unet = UNet(n_channels, 1, width=width, depth=depth)
        self.conditional = ConditionalMaps(n_contrasts, n_components) if "conditional" in inputs else None
        self.atlas = AtlasMaps(n_contrasts, *size) if "atlas" in inputs else None

    def channels(self, images, foreground):
        """What the U-Net looks at.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Or pairs (n, 2, n_contrasts, height, width), where the reference is an input; or slices with
            their neighbors (n, 3, n_contrasts, height, width), where these are. A slice without neighbors
            is its own.
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        Tensor of shape (n, n_channels, height, width)
        """
        observed = images if images.dim() == 4 else images[:, 0]
        make = {
            "image": lambda: observed,
            "reference": lambda: images[:, 1],
            "neighbors": lambda: _neighbors(images),
            "conditional": lambda: self.conditional(observed) * foreground,
            "position": lambda: position_maps(foreground),
            "mirror": lambda: mirror_maps(observed, foreground),
            "atlas": lambda: self._deviations(observed) * foreground,
        }
        return torch.cat([make[name]() for name in self.inputs], dim=1)

    def _deviations(self, images):
        if tuple(images.shape[-2:]) != tuple(self.size):
            raise ValueError(
                f"Slices should be of {self.size} pixels, as those that the atlas was made from, "
                f"got {tuple(images.shape[-2:])}."
            )
        return self.atlas(images)

    def features(self, images, foreground):
        """The maps before the last layer, shape (n, width of the finest level, height, width)."""
        return self.unet.features(self.channels(images, foreground))

    def forward(self, images, foreground):
        """The logits.

        Parameters
        ----------
        images, foreground : Tensors
            As for :meth:`channels`.

        Returns
        -------
        Tensor of shape (n, 1, height, width), float32
        """
        return self.unet(self.channels(images, foreground))


def _neighbors(images):
    """Slices below and above as channels."""
    return images[:, 1:].flatten(1, 2) if images.dim() == 5 else images.repeat(1, 2, 1, 1)


def position_maps(foreground):
    """Where every pixel lies in the foreground of its slice: no registration is needed.

    Parameters
    ----------
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape (n, 3, height, width)
        Rows from the centroid, in standard deviations of the foreground's pixels; columns likewise, without
        their sign (left and right are alike); share of foreground within a few pixels. 0 in the background.
    """
    inside = foreground.float()
    count = inside.sum((1, 2, 3), keepdim=True).clamp(min=1)
    maps = []
    for axis in (2, 3):
        shape = [1, 1, 1, 1]
        shape[axis] = -1
        place = torch.arange(foreground.shape[axis], device=foreground.device).float().view(shape)
        offset = place - (place * inside).sum((1, 2, 3), keepdim=True) / count
        spread = ((offset.square() * inside).sum((1, 2, 3), keepdim=True) / count).sqrt().clamp(min=1)
        maps.append((offset / spread).expand_as(inside))
    rows, columns = maps
    return torch.cat([rows, columns.abs(), gaussian_blur(inside, 4.0, 12)], dim=1) * inside
