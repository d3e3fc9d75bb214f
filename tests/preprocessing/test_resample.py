import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.preprocessing.resample import Resampling

SHAPE, SPACING = (7, 18, 19), (5.0, 1.0, 1.2)


def wave(shape, spacing):
    """A smooth image of a field of view centered on zero."""
    z, y, x = np.ogrid[tuple(slice(n) for n in shape)]
    z, y, x = ((i - (n - 1) / 2) * mm for i, n, mm in zip((z, y, x), shape, spacing, strict=True))
    return (np.sin(x / 5) + np.cos(y / 6) + z / 30).astype(np.float32)


def test_no_target_changes_nothing():
    step = Resampling.to_spacing(SHAPE, SPACING, None)
    image = wave(SHAPE, SPACING)
    assert step.forward(image) is image
    assert step.inverse(image) is image


@pytest.mark.parametrize("target", [(2.5, 0.8, 0.8), (5.0, 1.3, 1.3)])
def test_a_smooth_image_keeps_its_values_in_space(target):
    step = Resampling.to_spacing(SHAPE, SPACING, target)
    expected = wave(step.new_shape, target)
    np.testing.assert_allclose(
        step.forward(wave(SHAPE, SPACING))[2:-2, 3:-3, 3:-3], expected[2:-2, 3:-3, 3:-3], atol=0.02
    )


@given(st.tuples(*[st.integers(1, 30)] * 3), *[st.tuples(*[st.floats(0.4, 6)] * 3)] * 2)
def test_the_new_grid_covers_the_native_one_whole(shape, spacing, target):
    step = Resampling.to_spacing(shape, spacing, target)
    maps = np.ones(step.new_shape, np.float32)
    assert step.inverse(maps).shape == shape
    np.testing.assert_allclose(step.inverse(maps), 1, rtol=1e-5)


def test_a_map_there_and_back_keeps_its_peak():
    native = np.zeros(SHAPE, np.float32)
    native[3:5, 6:10, 8:12] = 1
    step = Resampling.to_spacing(SHAPE, SPACING, (2.0, 2.0, 2.0))
    back = step.inverse(step.forward(native))
    assert native[np.unravel_index(back.argmax(), SHAPE)] == 1


def test_labels_stay_labels_and_none_is_lost():
    labels = np.zeros(SHAPE, np.int16)
    labels[3, 4, 4] = 2
    labels[:, 9:, :] = 1
    assert set(np.unique(Resampling.to_spacing(SHAPE, SPACING, (10.0, 4, 4)).forward_labels(labels))) == {
        0,
        1,
        2,
    }


def test_a_mask_keeps_its_volume():
    mask = np.zeros(SHAPE, bool)
    mask[2:5, 4:15, 3:15] = True
    small = Resampling.to_spacing(SHAPE, SPACING, (2.5, 0.5, 0.6)).forward_mask(mask)
    assert small.mean() == pytest.approx(mask.mean(), rel=0.05)
    assert small.dtype == bool


def test_fine_stripes_do_not_alias_into_coarse_ones():
    image = np.zeros((1, 120, 4), np.float32)
    image[:, ::2] = 1
    coarse = Resampling.to_spacing(image.shape, (1, 1, 1), (1, 4.2, 1)).forward(image)
    assert np.abs(coarse[:, 2:-2] - 0.5).max() < 0.1
