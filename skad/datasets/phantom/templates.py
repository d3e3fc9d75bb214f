"""The MNI152 templates the phantom is bent from: tissue fractions, regions, distance from the brain."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nilearn import datasets
from nilearn.image import get_data
from scipy import ndimage

HEMISPHERES, CEREBELLUM, BRAINSTEM, VENTRICLES, _OUTSIDE = range(1, 6)

_SHARPENING = 2.0  # exponent that undoes part of the averaging over 152 people
_MARGIN = 8  # voxels kept around the brain
_HEAD_FIRST, _HEAD_LAST, _HEAD_SPACING = (-112, -150, -150), (112, 130, 118), 2.0  # mm


class Templates(NamedTuple):
    """MNI152 maps at 1 mm around the brain, all of one shape."""

    fractions: np.ndarray  # (3, ...) white matter, gray matter, CSF; sums to 1 inside the mask
    mask: np.ndarray  # 0 or 1
    regions: np.ndarray  # 0 outside, HEMISPHERES, CEREBELLUM, BRAINSTEM or VENTRICLES
    origin: np.ndarray  # (3,) MNI coordinates of voxel (0, 0, 0), mm


@lru_cache(maxsize=1)
def load_templates():
    """The tissue maps of the symmetric MNI152 2009a templates (Fonov et al. 2011) that ship with nilearn."""
    image = datasets.load_mni152_brain_mask(resolution=1)
    mask = get_data(image) > 0
    box = tuple(
        slice(max(0, s.start - _MARGIN), s.stop + _MARGIN)
        for s in ndimage.find_objects(mask.astype(np.uint8))[0]
    )
    origin = image.affine[:3, 3] + [s.start for s in box]
    mask = mask[box].astype(np.float32)
    white = get_data(datasets.load_mni152_wm_template(resolution=1))[box] * mask
    gray = get_data(datasets.load_mni152_gm_template(resolution=1))[box] * mask
    fractions = np.stack([white, gray, np.clip(mask - white - gray, 0, 1)]) ** _SHARPENING
    fractions /= np.maximum(fractions.sum(axis=0), 1e-6)
    return Templates(fractions, mask, _regions(fractions[2], mask, origin), origin)


@lru_cache(maxsize=1)
def load_blurred(voxel_size):
    """Tissue fractions (3, ...) and mask averaged over a voxel of this size (mm): the partial volume."""
    templates = load_templates()
    size = [max(1, round(s)) for s in voxel_size]
    fractions = np.stack([ndimage.uniform_filter(f, size) for f in templates.fractions])
    return fractions, ndimage.uniform_filter(templates.mask, size)


@lru_cache(maxsize=1)
def load_brain_distance():
    """Distance from the brain with its fissures closed, and the origin of its grid.

    Returns
    -------
    distance : float32 ndarray
        mm, negative inside, on a grid of 2 mm that reaches beyond the head.
    origin : ndarray of shape (3,)
        MNI coordinates of voxel (0, 0, 0), mm.
    """
    templates = load_templates()
    axes = [np.arange(a, b, _HEAD_SPACING) for a, b in zip(_HEAD_FIRST, _HEAD_LAST, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"))
    brain = sample(templates.mask, points, templates.origin, order=0) > 0
    near = ndimage.distance_transform_edt(~brain) * _HEAD_SPACING <= 8
    closed = ndimage.distance_transform_edt(near) * _HEAD_SPACING > 8
    outside = ndimage.distance_transform_edt(~closed) - ndimage.distance_transform_edt(closed)
    distance = ndimage.gaussian_filter(outside.astype(np.float32), 1.0) * _HEAD_SPACING
    return distance, np.array(_HEAD_FIRST, dtype=float)


def sample(array, points, origin, *, spacing=1.0, order=1, mode="constant"):
    """Values of a map at points (3, ...) in mm; zero beyond it, or its nearest value with mode="nearest"."""
    shift = np.asarray(origin, dtype=np.float32)[:, None, None, None]
    return ndimage.map_coordinates(array, (points - shift) / np.float32(spacing), order=order, mode=mode)


def sample_brain_distance(points):
    """Distance (mm, negative inside) of MNI points (3, ...) from the closed brain."""
    distance, origin = load_brain_distance()
    return sample(distance, points, origin, spacing=_HEAD_SPACING, mode="nearest")


def _regions(csf, mask, origin):
    """Regions of the template: hindbrain, hemispheres, and the deep CSF that fills the ventricles."""
    x, y, z = np.meshgrid(
        *(np.arange(n, dtype=np.float32) + o for n, o in zip(mask.shape, origin, strict=True)),
        indexing="ij",
        sparse=True,
    )
    regions = _hindbrain(csf, mask, x, y, z)
    deep = (csf > 0.5) & (ndimage.distance_transform_edt(mask) > 14)
    third = (np.abs(x) < 5) & (y > -30) & (y < 6) & (z > -10) & (z < 10)
    fourth = (np.abs(x) < 14) & (y > -54) & (y < -36) & (z > -45) & (z < -20)
    components, _ = ndimage.label(deep)
    bodies = (np.abs(x) > 7) & (np.abs(x) < 25) & (y > -10) & (y < 20) & (z > 16) & (z < 25)
    lateral = np.isin(components, np.unique(components[bodies & deep]))
    regions[deep & (third | fourth) | lateral] = VENTRICLES
    return regions


def _hindbrain(csf, mask, x, y, z):
    """Hemispheres, cerebellum and brainstem: a watershed along the CSF where planes leave it open.

    The tentorium is a roof over the cerebellum, known to about 8 mm in MNI space.
    """
    roof = np.minimum(2 - 0.5 * np.abs(x) - 0.5 * np.clip(-55 - y, 0, None), (-36 - y) * 3)
    rear = -38 + 0.3 * (z + 30)  # of the brainstem, where the peduncles leave no CSF to go by
    stem = (y > rear) & (y < -4) & (z < -8)
    markers = np.where(z > roof + 8, HEMISPHERES, 0)
    markers = np.where(z < roof - 8, CEREBELLUM, markers)
    markers = np.where(stem & (np.abs(x) < 20), 0, markers)
    markers = np.where(stem & (np.abs(x) < 13) & (y < -14), BRAINSTEM, markers)
    markers = np.where(mask > 0, markers, _OUTSIDE).astype(np.int8)
    cost = np.where(mask > 0, 250 * csf, 255).astype(np.uint8)
    halved = (slice(None, None, 2),) * 3
    regions = ndimage.watershed_ift(cost[halved], markers[halved]).astype(np.uint8)
    for axis, size in enumerate(mask.shape):
        regions = np.repeat(regions, 2, axis=axis).take(range(size), axis=axis)
    return np.where((mask > 0) & (regions < _OUTSIDE), regions, 0).astype(np.uint8)
