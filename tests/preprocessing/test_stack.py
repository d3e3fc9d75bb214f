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
