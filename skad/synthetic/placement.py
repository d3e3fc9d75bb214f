"""Where a planted lesion lies: a soft, irregular ellipse around a random foreground pixel of every slice."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

REFERENCE_SIZE = 128  # sizes in pixels are meant for images of 128 x 128 and grow with the image
NOISE_CELLS = 8  # cells of the coarse noise across a lesion's surroundings
NOISE_REACH = 3.0  # half the extent of those surroundings, in radii
MOST_STRETCHED = math.sqrt(2)  # the longer axis of an ellipse is at most twice the shorter one


class Shapes(NamedTuple):
    """One lesion per slice.

    Attributes
    ----------
    mask : Tensor of shape (n, 1, height, width)
        0 outside, 1 inside, between on the rim and one half at the radius; 0 in the background.
    frame : Tensor of shape (n, height, width, 2)
        Position in the lesion's own axes (x, y), in radii; the center is (0, 0).
    distance : Tensor of shape (n, 1, height, width)
        From the center, in radii of the irregular outline.
    center : int64 Tensor of shape (n,)
        Index of the central pixel in the flattened slice.
    """

    mask: torch.Tensor
    frame: torch.Tensor
    distance: torch.Tensor
    center: torch.Tensor

    @property
    def offset(self):
        """Position (x, y) relative to the center in pixels, shape (n, height, width, 2)."""
        height, width = self.mask.shape[-2:]
        x = torch.arange(width, device=self.center.device) - (self.center % width)[:, None]
        y = torch.arange(height, device=self.center.device) - (self.center // width)[:, None]
        return torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), dim=-1).float()

    def take(self, rows):
        """The lesions of these rows."""
        return Shapes(*(part[rows] for part in self))


def draw_shapes(foreground, *, radius, warp=0.25, edge=(1.0, 3.0)):
    """Draw one lesion per slice from torch's generator.

    Parameters
    ----------
    foreground : bool Tensor of shape (n, 1, height, width)
        The center is any of its pixels, all equally likely.
    radius : (float, float)
        Smallest and largest radius in pixels at 128 x 128, drawn log-uniformly. (An ellipse has the
        radius of the circle of its area.)
    warp : float, default=0.25
        How far the outline strays: standard deviation of the logarithm of its radius, roughly.
    edge : (float, float), default=(1, 3)
        Smallest and largest width of the rim in pixels at 128 x 128; never wider than the radius.

    Returns
    -------
    Shapes
        Never empty where a slice has foreground.

    Raises
    ------
    ValueError
        A radius is not positive, or the smallest is larger than the largest.
    """
    smallest, largest = radius
    if not 0 < smallest <= largest:
        raise ValueError(f"radius should be (smallest, largest) with 0 < smallest <= largest, got {radius}.")
    n, device = len(foreground), foreground.device
    scale = pixel_scale(foreground)
    radii = log_uniform(n, smallest, largest, device=device) * scale
    center = _random_pixels(foreground)
    frame = _own_axes(center, radii, *foreground.shape[-2:])
    noise = smooth_noise(frame, 1)
    distance = torch.linalg.vector_norm(frame, dim=-1)[:, None] * (warp * noise).exp()
    rim = torch.minimum(uniform(n, *edge, device=device) * scale, radii)
    mask = (0.5 + (1 - distance) * (radii / rim)[:, None, None, None]).clamp(0, 1)
    return Shapes(mask * foreground, frame, distance, center)


def pixel_scale(images):
    """How many pixels of these images (..., height, width) correspond to one pixel at 128 x 128."""
    return math.sqrt(images.shape[-2] * images.shape[-1]) / REFERENCE_SIZE


def smooth_noise(frame, n_channels):
    """Interpolated normal noise on a coarse grid around each lesion: its grain grows with the lesion.

    Parameters
    ----------
    frame : Tensor of shape (n, height, width, 2)
        See :class:`Shapes`.
    n_channels : int

    Returns
    -------
    Tensor of shape (n, n_channels, height, width)
    """
    cells = torch.randn(len(frame), n_channels, NOISE_CELLS, NOISE_CELLS, device=frame.device)
    return F.grid_sample(cells, frame / NOISE_REACH, padding_mode="border", align_corners=True)


def to_device(indices, device):
    """Indices that were drawn on the CPU, without waiting for the device; what is small is copied at once."""
    return indices.to(device, non_blocking=True)


def uniform(n, low, high, *, device):
    """n uniform numbers."""
    return low + (high - low) * torch.rand(n, device=device)


def log_uniform(n, low, high, *, device):
    """n numbers whose logarithm is uniform."""
    return torch.exp(uniform(n, math.log(low), math.log(high), device=device))


def _random_pixels(foreground):
    """Index of a random foreground pixel of every slice, shape (n,)."""
    lots = torch.rand(len(foreground), foreground[0].numel(), device=foreground.device)
    return (lots * foreground.flatten(1)).argmax(dim=1)


def _own_axes(center, radii, height, width):
    """Positions in units of the two half axes of a random ellipse around each center, turned into them."""
    n, device = len(center), center.device
    angle = uniform(n, 0.0, math.pi, device=device)
    stretch = log_uniform(n, 1 / MOST_STRETCHED, MOST_STRETCHED, device=device)
    cos, sin = angle.cos() / radii, angle.sin() / radii
    x, y = (center % width).float(), (center // width).float()
    along = torch.stack([cos, sin, -cos * x - sin * y]) / stretch
    across = torch.stack([-sin, cos, sin * x - cos * y]) * stretch
    columns = torch.arange(width, device=device).expand(height, width)
    rows = torch.arange(height, device=device)[:, None].expand(height, width)
    places = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).float().flatten(0, 1)
    return (places @ torch.stack([along, across], dim=-1).transpose(0, 1)).view(n, height, width, 2)
