"""Where lesions of the phantom go and how they are drawn: ground that is free, soft shapes, labels."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from skad.datasets.phantom.fields import smooth_field, soft_step

LESION_CLASSES = {
    "core": 1,
    "enhancing_rim": 2,
    "edema": 3,
    "metastasis": 4,
    "cavity": 5,
    "stroke": 6,
    "ms_plaque": 7,
    "extracranial": 8,
    "structural": 9,
}
"""Values of the labels: core, rim and edema belong to gliomas; metastases bring edema of the same class."""

_BAND = 0.6  # part of the brain's slices that may hold lesions; the others stay normal


class Part(NamedTuple):
    """One material of a lesion."""

    label: int  # value of LESION_CLASSES
    material: str | None  # key of signal.MATERIALS; None where diseased tissue still looks normal
    fraction: np.ndarray  # of each voxel, float32 in [0, 1]


class Site:
    """Where the lesions of one subject may go: its anatomy, the slices that may hold them, what is taken.

    Parameters
    ----------
    anatomy : anatomy.Anatomy
    affine : ndarray of shape (4, 4)
    rng : numpy.random.Generator
    """

    def __init__(self, anatomy, affine, rng):
        self.anatomy = anatomy
        self.rng = rng
        self.voxel_size = np.linalg.norm(affine[:3, :3], axis=0)
        self.depth = ndimage.distance_transform_edt(anatomy.brain, sampling=self.voxel_size)
        self.slices = _lesion_slices(anatomy.brain, rng)
        self.free = np.ones(anatomy.brain.shape, bool)

    def draw_center(self, weight, radius, ground=None):
        """World coordinates (3,) of a voxel drawn by `weight`, `radius` mm away from the normal slices.

        Where the weight leaves nothing, any voxel of the ground (default: the brain) may be drawn.
        """
        first, last = self.slices
        reach = int(min(radius / self.voxel_size[2], (last - first) / 2))
        z = np.arange(weight.shape[2])
        allowed = self.free & (z >= first + reach) & (z <= last - reach)
        ground = self.anatomy.brain if ground is None else ground
        for candidates in (weight * allowed, ground & allowed):
            if candidates.any():
                index = self.rng.choice(candidates.size, p=candidates.ravel() / candidates.sum(dtype=float))
                return self.anatomy.points.reshape(3, -1)[:, index]
        raise ValueError(
            f"A lesion of {radius:.0f} mm should find free tissue in the field of view, got none: give a "
            "larger shape or voxel_size, or fewer kinds of lesion."
        )

    def resolved(self, radii):
        """The radii (mm), none smaller than the grid can show: 0.75 of the longest side of a voxel."""
        return np.maximum(radii, 0.75 * self.voxel_size.max())

    def warped_ellipsoid(self, center, radii, *, warp, smoothness):
        """Signed distance (mm, negative inside) to an ellipsoid turned at random, warped by `warp` mm."""
        turned = np.tensordot(
            Rotation.random(rng=self.rng).as_matrix(),
            self.anatomy.points - center[:, None, None, None],
            axes=1,
        )
        relative = np.sqrt(sum((t / r) ** 2 for t, r in zip(turned, radii, strict=True)))
        return (relative - 1) * radii.mean() + warp * smooth_field(self.rng, self.anatomy.points, smoothness)

    def confine(self, fraction, ground=None):
        """The fraction where it may be: on its ground (default: brain), in the band, off other lesions."""
        z = np.arange(fraction.shape[2])
        allowed = self.free & (z >= self.slices[0]) & (z <= self.slices[1])
        allowed &= self.anatomy.brain if ground is None else ground
        return (fraction * allowed).astype(np.float32)

    def soft(self, distance, width=1.0):
        """Soft inside of a signed distance: the edge is as wide as the tissue's (mm) plus half a voxel."""
        return soft_step(distance, width + 0.5 * self.voxel_size.mean())

    def take(self, parts):
        """Close the ground the parts stand on, and 4 mm around, to later lesions."""
        taken = sum(part.fraction for part in parts) > 0.05
        if taken.any():
            self.free &= ndimage.distance_transform_edt(~taken, sampling=self.voxel_size) > 4


def _lesion_slices(brain, rng):
    """First and last slice that may hold a lesion: a run, at random, of the larger slices of the brain."""
    area = brain.sum(axis=(0, 1))
    present = np.flatnonzero(area > 0.25 * area.max())
    length = max(1, int(_BAND * present.size))
    start = rng.integers(0, present.size - length + 1)
    return present[start], present[start + length - 1]


def label_map(parts, shape):
    """The class that holds most of each voxel where lesions hold at least half of it, uint8."""
    totals = {}
    for part in parts:
        totals[part.label] = totals.get(part.label, 0) + part.fraction
    if not totals:
        return np.zeros(shape, np.uint8)
    fractions = np.stack(list(totals.values()))
    largest = np.array(list(totals), np.uint8)[fractions.argmax(axis=0)]
    return np.where(fractions.sum(axis=0) >= 0.5, largest, 0)
