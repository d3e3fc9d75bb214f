import numpy as np
import pytest
from scipy import ndimage

from skad.preprocessing.foreground_resampling import ForegroundResampling
from skad.preprocessing.resample import Resampling

SHAPE, SPACING = (37, 48, 39), (2.0, 1.0, 1.2)
TARGETS = [(2.5, 2.1, 1.7), (4.0, 0.8, 0.9), (2.0, 1.0, 1.2)]


@pytest.fixture
def image():
    return ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), 1).astype(np.float32)


@pytest.fixture
def mask():
    mask = np.zeros(SHAPE, bool)
    mask[14:26, 15:33, 16:24] = True
    return mask


def whole_grid(image, mask, step):
    """The same by scipy on the whole grid: nearest foreground, Gaussian filter, cubic spline."""
    beyond = ndimage.distance_transform_edt(
        ~mask, sampling=SPACING, return_distances=False, return_indices=True
    )
    steps = np.divide(step.new_spacing, step.spacing)
    smooth = ndimage.gaussian_filter(image[tuple(beyond)], np.maximum(0, (steps - 1) / 2), mode="nearest")
    starts = (np.array(step.shape) - 1) / 2 - steps * (np.array(step.new_shape) - 1) / 2
    return ndimage.affine_transform(smooth, steps, starts, step.new_shape, order=3, mode="nearest")


@pytest.mark.parametrize("target", TARGETS)
def test_the_foreground_is_that_of_the_whole_grid(image, mask, target):
    step = Resampling.to_spacing(SHAPE, SPACING, target)
    inside = ForegroundResampling(step, mask)
    np.testing.assert_array_equal(inside.mask, step.forward_mask(mask))
    np.testing.assert_allclose(inside.forward(image), whole_grid(image, mask, step)[inside.mask], atol=5e-6)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_outside_the_foreground_does_not_matter(image, mask, target):
    inside = ForegroundResampling(Resampling.to_spacing(SHAPE, SPACING, target), mask)
    np.testing.assert_array_equal(
        inside.forward(image), inside.forward(np.where(mask, image, np.float32(1e6)))
    )


def test_values_lie_where_the_mask_is_and_all_else_is_nan(image, mask):
    inside = ForegroundResampling(Resampling.to_spacing(SHAPE, SPACING, None), mask)
    placed = inside.on_grid(inside.forward(image))
    np.testing.assert_array_equal(placed, np.where(mask, image, np.nan))


def test_a_foreground_that_no_new_voxel_holds_has_no_values(image):
    mask = np.zeros(SHAPE, bool)
    mask[10, 20, 20] = True
    inside = ForegroundResampling(Resampling.to_spacing(SHAPE, SPACING, (8.0, 8.0, 8.0)), mask)
    assert not inside.mask.any() and inside.forward(image).shape == (0,)
