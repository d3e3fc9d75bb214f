"""Slices to another voxel size and back."""

from dataclasses import dataclass

import numpy as np

from skad.preprocessing.interpolation import (
    along_axes,
    interpolate,
    linear_weights,
    resample_labels,
    spline_weights,
)


@dataclass(frozen=True)
class Resampling:
    """Change the voxel size of a grid; its axes and its center stay where they are.

    Images go through cubic splines (K), after the caller extended the foreground into the background,
    smoothed first along axes that get coarser (we: Gaussian of half the voxel ratio minus one, against
    aliasing); labels through nearest neighbors; maps come back by linear interpolation, which keeps the
    largest value where it was and never overshoots.

    Parameters
    ----------
    shape, spacing : tuple of 3
        The native grid, mm.
    new_shape, new_spacing : tuple of 3
        The model's grid. It covers the whole native one.
    """

    shape: tuple
    spacing: tuple
    new_shape: tuple
    new_spacing: tuple

    @classmethod
    def to_spacing(cls, shape, spacing, target):
        """Resample a grid to `target` mm per axis; None keeps it."""
        target = spacing if target is None else target
        lengths = (n * old / new for n, old, new in zip(shape, spacing, target, strict=True))
        return cls(shape, spacing, tuple(max(1, int(np.ceil(length - 1e-3))) for length in lengths), target)

    @property
    def is_identity(self):
        """Whether nothing has to be interpolated."""
        return self.shape == self.new_shape and np.allclose(self.spacing, self.new_spacing, rtol=1e-4)

    def forward(self, image):
        """A finite image of shape `shape` on the new grid, float32."""
        if self.is_identity:
            return image
        return along_axes(image.astype(np.float32, copy=False), self.weights())

    def weights(self):
        """Of the native voxels in the new ones, one matrix per axis: smoothing and splines in one."""
        steps = np.divide(self.new_spacing, self.spacing)
        axes = zip(self.shape, self.new_shape, steps, _starts(self.shape, self.new_shape, steps), strict=True)
        return [spline_weights(*axis) for axis in axes]

    def forward_mask(self, mask):
        """A bool mask on the new grid: True where at least half of a new voxel is."""
        if self.is_identity:
            return mask
        return ~np.isnan(
            interpolate(np.where(mask, np.float32(1), np.float32(np.nan)), self._linear_weights())
        )

    def forward_labels(self, labels):
        """Integer labels on the new grid; no lesion is lost."""
        return labels if self.is_identity else resample_labels(labels, self._linear_weights())

    def inverse(self, maps):
        """A map with NaN background back on the native grid."""
        if self.is_identity:
            return maps
        steps = np.divide(self.spacing, self.new_spacing)
        starts = _starts(self.new_shape, self.shape, steps)
        return interpolate(maps, _matrices(self.new_shape, self.shape, steps, starts), smallest=1e-3)

    def _linear_weights(self):
        steps = np.divide(self.new_spacing, self.spacing)
        return _matrices(self.shape, self.new_shape, steps, _starts(self.shape, self.new_shape, steps))


def _starts(shape, new_shape, steps):
    """Position of the first new voxel, in old voxels, when both grids share their center."""
    return (np.array(shape) - 1) / 2 - steps * (np.array(new_shape) - 1) / 2


def _matrices(shape, new_shape, steps, starts):
    return [linear_weights(*axis) for axis in zip(shape, new_shape, steps, starts, strict=True)]
