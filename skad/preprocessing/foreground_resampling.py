"""The foreground of one volume on a new grid, at the cost of the box around it."""

import numpy as np
from scipy import ndimage

from skad.preprocessing.interpolation import along_axes


class ForegroundResampling:
    """Carry images from a native grid to a new one, where only the foreground matters.

    Foreground values are first carried into the background, each voxel taking that of the nearest foreground
    voxel, so that splines mix in no skull, zero or NaN.

    Parameters
    ----------
    resampling : Resampling
    mask : bool array of shape ``resampling.shape``
        Foreground on the native grid.

    Attributes
    ----------
    mask : bool array of shape ``resampling.new_shape``
        Foreground on the new grid.
    """

    def __init__(self, resampling, mask):
        self.mask = resampling.forward_mask(mask)
        self._new = _box(self.mask)
        self._weights = [None] * 3
        self._old, self._nearest = self._new, None
        if not resampling.is_identity:
            weights = [matrix[rows] for matrix, rows in zip(resampling.weights(), self._new, strict=True)]
            self._old = tuple(_columns(each, box) for each, box in zip(weights, _box(mask), strict=True))
            self._weights = [each[:, columns] for each, columns in zip(weights, self._old, strict=True)]
            self._nearest = _nearest_foreground(mask[self._old], resampling.spacing)

    def forward(self, image):
        """An image of the native grid in the new foreground, float32 of shape (n_voxels,)."""
        if not self.mask.any():
            return np.empty(0, np.float32)
        part = image[self._old]
        if self._nearest is not None:
            part = along_axes(part.ravel().take(self._nearest), self._weights)
        return part[self.mask[self._new]]

    def on_grid(self, values):
        """Values of the new foreground on the whole new grid, float32; NaN in the background."""
        image = np.full(self.mask.shape, np.nan, dtype=np.float32)
        image[self.mask] = values
        return image


def _box(mask):
    """The smallest box around the True voxels, slices; empty where there is none."""
    found = ndimage.find_objects(mask.view(np.uint8))
    return found[0] if found else (slice(0, 0),) * mask.ndim


def _columns(weights, box):
    """The columns of a matrix that are not zero, and those of the foreground."""
    used = np.unique(weights.indices)
    return slice(min([*used[:1], box.start]), max([*(used[-1:] + 1), box.stop]))


def _nearest_foreground(mask, spacing):
    """Flat index of the nearest foreground voxel of every voxel."""
    if not mask.any():
        return np.zeros(mask.shape, np.intp)
    found = ndimage.distance_transform_edt(
        ~mask, sampling=spacing, return_distances=False, return_indices=True
    )
    flat = found[0].copy()
    for indices, length in zip(found[1:], mask.shape[1:], strict=True):  # in place: the grid may be large
        flat *= length
        flat += indices
    return flat
