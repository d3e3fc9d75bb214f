"""Masks and lesion tables against brute force and against lesions placed by hand in world coordinates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from skad.postprocessing import (
    hysteresis_threshold,
    lesion_table,
    number_lesions,
    remove_small_lesions,
)

SHAPE = (7, 8, 9)  # all different


def grown(anomaly, low, high, connectivity):
    """Pixel by pixel: start above high, add neighbors above low until nothing changes."""
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * anomaly.ndim, indexing="ij"), -1).reshape(-1, anomaly.ndim)
    steps = [step for step in steps if 0 < np.abs(step).sum() <= connectivity]
    reached = {tuple(index) for index in np.argwhere(anomaly > high)}
    todo = list(reached)
    while todo:
        index = todo.pop()
        for step in steps:
            near = tuple(np.add(index, step))
            inside = all(0 <= i < n for i, n in zip(near, anomaly.shape, strict=True))
            if inside and near not in reached and anomaly[near] > low:
                reached.add(near)
                todo.append(near)
    mask = np.zeros(anomaly.shape, dtype=bool)
    for index in reached:
        mask[index] = True
    return mask


scores = st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan])


@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=4), elements=scores), st.data()
)
def test_hysteresis_is_growth_from_the_high_pixels_through_the_low_ones(anomaly, data):
    connectivity = data.draw(st.integers(1, anomaly.ndim))
    low = data.draw(st.sampled_from([-1.0, 0.5, 1.5]))
    high = data.draw(st.sampled_from([1.5, 2.5, 9.0]))
    expected = grown(anomaly, low, high, connectivity)
    np.testing.assert_array_equal(
        hysteresis_threshold(anomaly, low, high, connectivity=connectivity), expected
    )


def test_equal_thresholds_are_a_plain_threshold_and_swapped_ones_an_error():
    anomaly = np.random.default_rng(0).normal(size=SHAPE)
    np.testing.assert_array_equal(hysteresis_threshold(anomaly, 0.5, 0.5), anomaly > 0.5)
    with pytest.raises(ValueError, match="low should not be larger than high, got low=2 and high=1"):
        hysteresis_threshold(anomaly, 2, 1)


def oblique(voxel_size=(0.9, 1.1, 3.0), origin=(-40.0, 12.0, 7.0)):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [20, -35, 130], degrees=True).as_matrix() * voxel_size
    affine[:3, 3] = origin
    return affine


def two_boxes():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[1:3, 2:5, 1:2] = True  # 6 voxels
    mask[4:6, 3:7, 6:8] = True  # 16 voxels
    return mask


def test_small_lesions_go_by_their_volume_in_ml():
    mask, voxel = two_boxes(), 0.9 * 1.1 * 3.0 / 1000
    for min_volume, left in ((0, 22), (6 * voxel, 22), (6.1 * voxel, 16), (16.1 * voxel, 0)):
        kept = remove_small_lesions(mask, oblique(), min_volume=min_volume)
        assert kept.sum() == left
        assert not (kept & ~mask).any()


def test_touching_by_a_corner_is_one_lesion_only_if_asked():
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2, 2, 2] = mask[3, 3, 3] = True
    assert not remove_small_lesions(mask, np.eye(4), min_volume=0.002).any()
    assert remove_small_lesions(mask, np.eye(4), min_volume=0.002, connectivity=3).sum() == 2
    assert len(lesion_table(mask, mask * 1.0, np.eye(4))) == 2


def test_the_table_has_volume_and_centroid_in_the_space_of_an_oblique_affine():
    affine, mask = oblique(), two_boxes()
    anomaly = np.random.default_rng(0).normal(size=SHAPE)
    anomaly[5, 4, 7], anomaly[0, 0, 0] = 30.0, 99.0  # the second lies in no lesion
    large, small = lesion_table(mask, anomaly, affine, p_values=lambda peaks: 1 / peaks)
    assert (large["lesion"], small["lesion"]) == (1, 2)
    assert large["volume_ml"] == pytest.approx(16 * 0.9 * 1.1 * 3.0 / 1000)
    for row, box in ((large, ([4, 5], [3, 4, 5, 6], [6, 7])), (small, ([1, 2], [2, 3, 4], [1]))):
        points = np.array(np.meshgrid(*box)).reshape(3, -1)
        expected = (affine @ np.vstack([points, np.ones(points.shape[1])]))[:3].mean(axis=1)
        np.testing.assert_allclose([row["x_mm"], row["y_mm"], row["z_mm"]], expected, rtol=1e-12)
    assert (large["peak_score"], large["p_value"]) == (30.0, 1 / 30)
    assert small["peak_score"] == anomaly[1:3, 2:5, 1:2].max()


def test_no_lesion_is_an_empty_table():
    mask = np.zeros(SHAPE, dtype=bool)
    assert lesion_table(mask, np.ones(SHAPE), np.eye(4)) == []
    assert not remove_small_lesions(mask, np.eye(4)).any()
    assert not hysteresis_threshold(np.full(SHAPE, np.nan), 0, 1).any()


def test_numbers_in_the_image_are_those_of_the_table():
    rng = np.random.default_rng(0)
    mask = rng.random(SHAPE) > 0.8
    anomaly = rng.normal(size=SHAPE)
    numbers = number_lesions(mask)
    assert ((numbers > 0) == mask).all()
    for row in lesion_table(mask, anomaly, np.diag([2, 3, 4, 1])):
        voxels = numbers == row["lesion"]
        assert voxels.sum() * 24 / 1000 == pytest.approx(row["volume_ml"])
        assert anomaly[voxels].max() == row["peak_score"]
