"""Slices to the size a network expects, by cutting or padding around the center, and back."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cropping:
    """Center crop, or pad, each slice to (height, width); pixels keep their values and their size in mm (K).

    Parameters
    ----------
    shape : tuple of 2 int
        Rows and columns of the input.
    spacing : tuple of 2 float
        Their distance, mm.
    size : tuple of 2 int
        Rows and columns of the output.
    """

    shape: tuple
    spacing: tuple
    size: tuple

    @property
    def pixel_size(self):
        """Height and width of a new pixel, mm: those of an old one."""
        return self.spacing

    def forward(self, slices):
        """Slices (n, rows, columns) to (n, height, width), padded with NaN."""
        return _recenter(slices, self.shape, self.size, np.nan)

    def forward_labels(self, labels):
        """Integer labels (n, rows, columns) to (n, height, width), padded with 0."""
        return _recenter(labels, self.shape, self.size, 0)

    def cuts(self, mask):
        """Whether True pixels of a mask (n, rows, columns) lie outside the frame."""
        return np.count_nonzero(mask) > np.count_nonzero(_recenter(mask, self.shape, self.size, False))

    def inverse(self, maps):
        """Maps (n, height, width) to (n, rows, columns); what was cut away is NaN."""
        return _recenter(maps, self.shape, self.size, np.nan, back=True)


def _recenter(images, shape, size, fill, back=False):
    if shape == size:
        return images
    inner, outer = zip(*(_overlap(n, m) for n, m in zip(shape, size, strict=True)), strict=True)
    source, target, new_shape = (outer, inner, shape) if back else (inner, outer, size)
    result = np.full((len(images), *new_shape), fill, dtype=images.dtype)
    result[:, *target] = images[:, *source]
    return result


def _overlap(length, new_length):
    """The shared stretch of two centered intervals, as slices of the first and of the second."""
    start = (length - new_length) // 2
    shared = min(length, new_length)
    first, second = max(start, 0), max(-start, 0)
    return slice(first, first + shared), slice(second, second + shared)
