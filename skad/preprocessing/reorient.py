"""Axial slices out of a stored array, whatever its axes: a permutation and flips, no interpolation."""

from dataclasses import dataclass

import numpy as np

from skad.io import axes_towards


@dataclass(frozen=True)
class Reorientation:
    """Stored array of shape (nx, ny, nz) to axial slices (n_slices, height, width) and back, exactly.

    Slices run from inferior to superior; the rows of a slice from anterior to posterior and its columns from
    the patient's right to left, so that an image drawn with row 0 on top is in radiological convention.

    Parameters
    ----------
    order : tuple of 3 int
        Stored axis of slices, rows and columns.
    flipped : tuple of 3 bool
        Whether they run against the stored axis.
    """

    order: tuple
    flipped: tuple

    @classmethod
    def to_axial(cls, affine):
        """The reorientation for an affine; oblique axes go with the anatomical axis they are closest to."""
        return cls(*axes_towards(affine, "SPL"))

    def forward(self, stored):
        """A view of the stored array as axial slices."""
        return np.flip(np.transpose(stored, self.order), self._axes())

    def inverse(self, slices):
        """A view of axial slices as the stored array."""
        return np.transpose(np.flip(slices, self._axes()), np.argsort(self.order))

    def along_slices(self, per_axis):
        """Reorder what is known per stored axis (shape, voxel size)."""
        return tuple(per_axis[axis] for axis in self.order)

    def _axes(self):
        return tuple(np.flatnonzero(self.flipped))
