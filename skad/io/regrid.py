"""Images on another grid than the volume's, brought onto it by their affines."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skad.io.errors import GeometryWarning
from skad.io.labels import keep_components, label_components, whole_numbers

# A shift that no interpolation can improve on: headers written by different tools disagree by this much.
SAME_GRID_VOXELS = 0.05
# Below this share of the smaller field of view, the two images do not show the same anatomy.
SMALLEST_OVERLAP = 0.5

# From this share of exact zeros on they mean "cut away": they must stay exact, and splines leave small waves
# there.
ZERO_BACKGROUND = 0.05


@dataclass(frozen=True, eq=False)
class Regridded:
    """A source of voxels seen on another grid, interpolated each time it is loaded.

    Parameters
    ----------
    source : NiftiFile or array source
        What is read; has `load`, `covered`, `where`, `shape`.
    affine : ndarray of shape (4, 4)
        Voxel indices of the target grid to voxel indices of the source.
    shape : tuple of 3 int
        The target grid.
    order : int
        Spline order: 3 for images, 0 for labels and masks.
    """

    source: object
    affine: np.ndarray
    shape: tuple
    order: int

    @property
    def where(self):
        """The file's name for messages."""
        return self.source.where

    def load(self):
        """Voxels on the target grid; beyond the source's field of view NaN (images) or 0 (labels, masks)."""
        voxels = self.source.load()
        if self.order == 0:
            return self._nearest(voxels)
        finite = np.isfinite(voxels)
        with np.errstate(over="ignore"):  # beyond float32: an infinity, which is found where it matters
            values = self._interpolate(np.where(finite, voxels, 0).astype(np.float32), self.order)
        if np.mean(voxels == 0) > ZERO_BACKGROUND:
            values[self._interpolate(voxels == 0, 0)] = 0
        if not finite.all():
            values[self._interpolate(~finite, 0)] = np.nan
        values[~self.covered()] = np.nan
        return values

    def covered(self):
        """Voxels of the target grid inside the source's field of view, bool of shape `shape`."""
        return inside(self.affine, np.ogrid[tuple(slice(n) for n in self.shape)], self.source.shape)

    def _nearest(self, voxels):
        values = self._interpolate(voxels, 0)
        values[~self.covered()] = 0
        return values

    def _interpolate(self, voxels, order):
        matrix, offset = self.affine[:3, :3], self.affine[:3, 3]
        kind = np.uint8 if voxels.dtype == bool else voxels.dtype
        values = ndimage.affine_transform(
            voxels.astype(kind), matrix, offset, self.shape, order=order, mode="nearest"
        )
        return values.astype(voxels.dtype)


@dataclass(frozen=True, eq=False)
class RegriddedLabels(Regridded):
    """Labels seen on another grid, by nearest neighbor; no lesion is lost in it.

    A connected component that no new voxel's center meets gets the voxel that holds most of it. (We)
    """

    order: int = 0

    def load(self):
        """Labels on the target grid, 0 beyond the source's field of view; warns of lesions out there."""
        labels = self.source.load()
        components, classes = label_components(whole_numbers(labels, self.where))
        resampled = self._nearest(components)
        inverse = np.linalg.inv(self.affine)
        without = keep_components(resampled, components, len(classes) - 1, lambda at: _moved(inverse, at))
        if without:
            warnings.warn(
                f"{self.where}: {len(without)} of {len(classes) - 1} lesions have no voxel of their own "
                "on the grid of the first contrast: they lie outside it or share a voxel with another one.",
                GeometryWarning,
                stacklevel=2,
            )
        return classes.astype(np.int32)[resampled]


def _moved(affine, indices):
    return np.rint(indices @ affine[:3, :3].T + affine[:3, 3]).astype(int)


def inside(affine, indices, shape):
    """Whether voxel `indices`, three arrays that broadcast, lie in the field of view of a grid of `shape`.

    A field of view ends at the outer faces of its voxels, half a voxel beyond their centers.
    """
    within = np.True_
    for row, length in zip(affine[:3], shape, strict=True):
        position = sum(weight * index for weight, index in zip(row[:3], indices, strict=True)) + row[3]
        within = within & (position >= -0.5) & (position <= length - 0.5)
    return within


def same_grid(first, second):
    """Whether two images (with `affine`, `shape`) share their voxels, to `SAME_GRID_VOXELS`."""
    if first.shape != second.shape:
        return False
    return same_affine(first, second)


def same_affine(first, second):
    """Whether no corner of the first image moves by `SAME_GRID_VOXELS` when placed by the second's affine."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in first.shape])).reshape(3, -1)
    moved = _between(first, second) @ np.vstack([corners, np.ones(corners.shape[1])])
    return bool(np.abs(moved[:3] - corners).max() < SAME_GRID_VOXELS)


def overlap(first, second):
    """Share, 0 to 1, of the smaller of two fields of view that lies inside the other, from a lattice."""
    return max(_share(first, second), _share(second, first))


def onto(target, source, order, *, labels=False):
    """The `source` image, or labels, seen on the grid of `target`; itself where the grids agree."""
    if same_grid(target, source):
        return source
    affine = _between(target, source)
    if labels:
        return RegriddedLabels(source, affine, target.shape)
    return Regridded(source, affine, target.shape, order)


def distance(first, second):
    """How far two fields of view lie apart, mm: the largest distance from a corner to the other's nearest.

    How an image is stored, its axes' order and direction, makes no difference.
    """
    ours, theirs = _corners(first), _corners(second)
    apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    return float(max(apart.min(axis=0).max(), apart.min(axis=1).max()))


def _corners(image):
    """Outer corners of a field of view, mm, of shape (8, 3)."""
    at = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in image.shape])).reshape(3, -1)
    return (image.affine[:3, :3] @ at).T + image.affine[:3, 3]


def _between(target, source):
    return np.linalg.solve(source.affine, target.affine)


def _share(first, second, points=12):
    lattice = np.meshgrid(*[np.linspace(-0.5, n - 0.5, points) for n in first.shape], sparse=True)
    return float(np.mean(inside(_between(first, second), lattice, second.shape)))
