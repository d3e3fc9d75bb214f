"""What a stack of slices knows of itself."""

import numpy as np
import pytest

from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.preprocessing.stack import PackedMask

SHAPE = (9, 11, 7)  # all different
AFFINE = np.diag([2.0, 2, 5, 1])


def stack_of(**images):
    volume = Volume(images, AFFINE, mask=np.ones(SHAPE, dtype=bool))
    return VolumePreprocessor(size=(16, 18), voxel_size=None, intensity=None).fit_transform([volume])


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)


def test_a_contrast_without_a_value_is_missing(image):
    stack = stack_of(T1w=image, FLAIR=np.full(SHAPE, np.nan, np.float32))
    assert stack.missing_contrasts == ("FLAIR",)


def test_a_contrast_that_lacks_some_slices_is_not_missing(image):
    stack = stack_of(T1w=image, FLAIR=image)
    stack.X[:3, 1] = np.nan
    assert stack.missing_contrasts == ()


def test_positions_are_the_heights_of_the_slices_in_mm(image):
    np.testing.assert_allclose(stack_of(T1w=image).positions, 5.0 * np.arange(7))


def test_a_packed_mask_comes_out_as_it_went_in():
    mask = np.random.default_rng(0).random(SHAPE) > 0.5  # 693 voxels: no whole number of bytes
    np.testing.assert_array_equal(PackedMask.pack(mask).unpack(), mask)


def nearest_beside(stack, row, distance, sign):
    """The row below (-1) or above (1): of the same volume, nearest to the distance, at most twice as far."""
    best, best_off = row, np.inf
    for other in range(len(stack)):
        gap = sign * (stack.positions[other] - stack.positions[row])
        same = stack.volume_index[other] == stack.volume_index[row]
        if same and 0 < gap <= 2 * distance and abs(gap - distance) < best_off:
            best, best_off = other, abs(gap - distance)
    return best


@pytest.mark.parametrize("distance", [1.0, 3.0, 5.0, 8.0])
def test_neighbors_are_the_slices_at_a_distance_in_mm_whatever_the_spacing(distance):
    rng = np.random.default_rng(0)
    volumes = [
        Volume(
            {name: rng.uniform(1, 2, SHAPE).astype(np.float32) for name in ("T1w", "FLAIR")},
            np.diag([2.0, 2, spacing, 1]),
            mask=rng.random(SHAPE) > 0.3,
            subject=f"sub-{spacing}",
        )
        for spacing in (1.5, 5.0)
    ]
    stack = VolumePreprocessor(size=(16, 18), intensity=None).fit_transform(volumes)
    series = stack.with_neighbors(distance)
    assert series.shape == (len(stack), 3, *stack.X.shape[1:])
    for row, X in enumerate(stack.X):
        expected = [X]
        for sign in (-1, 1):
            other = stack.X[nearest_beside(stack, row, distance, sign)]
            expected.append(np.where(np.isnan(other) | np.isnan(X), X, other))
        np.testing.assert_array_equal(series[row], expected)


def test_a_single_slice_is_its_own_neighbor(image):
    stack = VolumePreprocessor(size=(16, 18), intensity=None).fit_transform(
        [Volume({"T1w": image[:, :, :1]}, AFFINE, mask=np.ones((9, 11, 1), dtype=bool))]
    )
    np.testing.assert_array_equal(stack.with_neighbors(5.0)[0], np.stack([stack.X[0]] * 3))
