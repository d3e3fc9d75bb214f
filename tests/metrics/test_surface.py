"""Surface Dice against distances of all pairs of outline voxels."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skad.metrics import surface_dice


def outline(mask, voxel_size):
    """Positions, mm, of the voxels with a face neighbor outside the mask, by looking at each."""
    padded = np.pad(mask, 1)
    places = []
    for place in np.argwhere(padded):
        steps = [s * e for e in np.eye(mask.ndim, dtype=int) for s in (-1, 1)]
        if not all(padded[tuple(place + step)] for step in steps):
            places.append((place - 1) * voxel_size)
    return np.array(places)


@pytest.mark.parametrize("tolerance", [0.0, 1.0, 2.5])
def test_the_share_of_both_outlines_that_is_near_the_other(tolerance):
    rng, voxel_size = np.random.default_rng(3), np.array([3.0, 1.0, 2.0])
    truth, predicted = np.zeros((2, 5, 7, 8), bool)
    truth[1:4, 1:6, 1:7], predicted[2:5, 1:5, 2:8] = True, True
    predicted ^= rng.random(predicted.shape) < 0.05
    distances = cdist(outline(truth, voxel_size), outline(predicted, voxel_size))
    near = [(distances.min(axis=axis) <= tolerance) for axis in (0, 1)]
    expected = sum(each.sum() for each in near) / sum(each.size for each in near)
    found = surface_dice(truth, predicted, voxel_size=voxel_size, tolerance=tolerance)
    assert found == pytest.approx(expected)


def test_a_single_slice_has_the_outline_of_its_shape():
    truth, predicted = np.zeros((2, 9, 10), bool)
    truth[2:7, 2:8], predicted[3:8, 2:8] = True, True
    flat = surface_dice(truth, predicted, voxel_size=(1.0, 1.0), tolerance=0.5)
    assert surface_dice(truth[None], predicted[None], voxel_size=(9.0, 1.0, 1.0), tolerance=0.5) == flat < 1


def test_empty_masks():
    nothing, something = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    assert np.isnan(surface_dice(nothing, nothing)) and surface_dice(nothing, something) == 0


def test_every_axis_needs_a_voxel_size():
    with pytest.raises(ValueError, match="along 2 axes"):
        surface_dice(np.ones((4, 5)), np.ones((4, 5)), voxel_size=(1.0,))
