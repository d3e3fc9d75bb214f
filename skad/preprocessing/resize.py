"""Slices to the size a network expects, by bilinear interpolation of the whole field of view, and back."""

from dataclasses import dataclass

import numpy as np

from skad.preprocessing.interpolation import interpolate, linear_weights, resample_labels


@dataclass(frozen=True)
class Resizing:
    """Fit the whole field of view of each slice into (height, width) with square pixels.

    We: the field of view is padded to the aspect ratio of `size` first, in mm, so pixels are isotropic
    whatever the shape and voxel size of the input; the padding is background. Pixels near the edge of the
    foreground average the foreground only.

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
        """Edge of a new pixel, mm."""
        return max(n * mm / m for n, mm, m in zip(self.shape, self.spacing, self.size, strict=True))

    @property
    def is_identity(self):
        """Whether nothing has to be interpolated."""
        return self.shape == self.size and np.allclose(self.spacing, self.pixel_size, rtol=1e-6)

    def forward(self, slices):
        """Slices (n, rows, columns) with NaN background to (n, height, width)."""
        return slices if self.is_identity else interpolate(slices, self._weights())

    def forward_labels(self, labels):
        """Integer labels (n, rows, columns) to (n, height, width); no lesion of a slice is lost."""
        if self.is_identity:
            return labels
        weights = self._weights()
        resized = np.zeros((len(labels), *self.size), labels.dtype)
        for image, old in zip(resized, labels, strict=True):
            if old.any():
                image[:] = resample_labels(old, weights[1:])
        return resized

    def cuts(self, mask):
        """Whether True pixels of a mask lie outside the frame: never."""
        return False

    def inverse(self, maps):
        """Maps (n, height, width) with NaN background to (n, rows, columns)."""
        if self.is_identity:
            return maps
        steps = np.divide(self.spacing, self.pixel_size)
        return interpolate(maps, [None, *_matrices(self.size, self.shape, steps)], smallest=1e-3)

    def _weights(self):
        return [None, *_matrices(self.shape, self.size, np.divide(self.pixel_size, self.spacing))]


def _matrices(shape, new_shape, steps):
    return [
        linear_weights(n, m, step, (n - 1) / 2 - step * (m - 1) / 2)
        for n, m, step in zip(shape, new_shape, steps, strict=True)
    ]
