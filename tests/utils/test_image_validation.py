"""What an image array may be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from skad.utils.estimator_checks.data import make_check_images
from skad.utils.out_of_core import is_on_disk
from skad.utils.validation import (
    check_images,
    check_images_or_neighbors,
    check_images_or_pairs,
    check_neighbors,
    check_pairs,
    foreground_of,
    missing_contrasts,
)

shapes = st.tuples(*[st.integers(1, 5)] * 4)
values = st.floats(-1e6, 1e6, width=32)


@st.composite
def images_and_foreground(draw):
    """Images of any size with any background."""
    shape = draw(shapes)
    images = draw(hnp.arrays(np.float32, shape, elements=values))
    foreground = draw(hnp.arrays(bool, (shape[0], *shape[2:])))
    return np.where(foreground[:, None], images, np.float32(np.nan)), foreground


@given(images_and_foreground())
@settings(max_examples=50, deadline=None)
def test_any_background_is_valid_and_found_again(drawn):
    images, foreground = drawn
    assert_array_equal(check_images(images), images)
    assert_array_equal(foreground_of(images), foreground)


@given(images_and_foreground(), st.data())
@settings(max_examples=50, deadline=None)
def test_infinity_anywhere_is_named_with_its_slice(drawn, data):
    images, _ = drawn
    place = tuple(data.draw(st.integers(0, size - 1)) for size in images.shape)
    images[place] = data.draw(st.sampled_from([np.inf, -np.inf]))
    with pytest.raises(ValueError, match=rf"X\[{place[0]}\] contains infinity"):
        check_images(images)


@given(shapes, st.data())
@settings(max_examples=50, deadline=None)
def test_nan_in_some_contrasts_of_a_pixel_is_refused(shape, data):
    n, c, height, width = shape[0], shape[1] + 1, shape[2] + 1, shape[3]
    images = np.zeros((n, c, height, width))
    slice_, contrast = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, c - 1))
    images[slice_, contrast, data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = (
        np.nan
    )
    with pytest.raises(ValueError, match=rf"X\[{slice_}\] has NaN in some contrasts"):
        check_images(images)


@given(images_and_foreground(), st.data())
@settings(max_examples=50, deadline=None)
def test_missing_contrasts_are_told_from_background(drawn, data):
    images, foreground = drawn
    c = data.draw(st.integers(0, images.shape[1] - 1))
    images[0, c] = np.nan
    expected = np.zeros(images.shape[:2], dtype=bool)
    expected[0, c] = foreground[0].any() and images.shape[1] > 1
    assert_array_equal(missing_contrasts(images), expected)
    assert_array_equal(check_images(images, allow_missing=True), images)
    if expected.any():
        with pytest.raises(ValueError, match=f"lacks contrast {c}"):
            check_images(images)


@given(
    st.lists(st.integers(0, 4), min_size=0, max_size=6).filter(lambda shape: len(shape) != 4 or 0 in shape)
)
@settings(max_examples=50, deadline=None)
def test_any_other_shape_is_refused_with_the_shape(shape):
    with pytest.raises(ValueError) as error:
        check_images(np.zeros(shape))
    assert str(tuple(shape)) in str(error.value)


@given(images_and_foreground(), st.integers(-3, 3))
@settings(max_examples=25, deadline=None)
def test_pair_is_valid_whatever_its_reference_says_in_the_background(drawn, outside):
    images, foreground = drawn
    reference = np.where(foreground[:, None], 1, np.float32(outside or np.nan)) + 0 * np.zeros_like(images)
    pairs = np.stack([images, reference], axis=1)
    assert_array_equal(check_pairs(pairs), pairs)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_reference_has_to_be_finite_in_the_foreground(bad):
    pairs = np.stack([make_check_images()] * 2, axis=1).astype(np.float64)
    row, column = np.argwhere(foreground_of(pairs[:, 0])[2])[0]
    pairs[2, 1, 0, row, column] = bad
    with pytest.raises(ValueError, match=r"P\[2, 1\] should be a finite reference"):
        check_pairs(pairs)


def test_reference_stands_in_for_a_missing_contrast():
    pairs = np.zeros((1, 2, 2, 3, 4), dtype=np.float32)
    pairs[0, 0, 1] = np.nan
    assert_array_equal(check_pairs(pairs, allow_missing=True), pairs)
    pairs[0, 1, 1] = np.nan
    with pytest.raises(ValueError, match="finite reference"):
        check_pairs(pairs, allow_missing=True)


def test_three_images_are_no_pair():
    with pytest.raises(ValueError, match=r"\(n_samples, 2, n_contrasts.*got \(1, 3, 2, 3, 4\)"):
        check_pairs(np.zeros((1, 3, 2, 3, 4)))


def test_number_of_axes_tells_images_from_pairs():
    assert check_images_or_pairs(np.zeros((1, 2, 3, 4))).ndim == 4
    assert check_images_or_pairs(np.zeros((1, 2, 2, 3, 4))).ndim == 5
    with pytest.raises(ValueError, match=r"got \(3, 4\)"):
        check_images_or_pairs(np.zeros((3, 4)))


def test_result_is_float32_and_contiguous():
    checked = check_images(np.asfortranarray(make_check_images().astype(np.float64)))
    assert checked.dtype == np.float32 and checked.flags.c_contiguous


def test_float32_is_not_copied():
    images = make_check_images()
    assert np.shares_memory(check_images(images), images)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int16, np.uint8, bool])
def test_any_real_dtype_is_taken(dtype):
    assert check_images(np.ones((1, 1, 2, 3), dtype=dtype)).dtype == np.float32


@pytest.mark.parametrize("dtype", [object, complex, str, "datetime64[s]"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match="real numbers"):
        check_images(np.ones((1, 1, 2, 3), dtype=np.int64).astype(dtype))


def test_float64_beyond_float32_is_refused_without_any_nan():
    with pytest.raises(ValueError, match="too large for float32"):
        check_images(np.full((1, 1, 2, 3), 1e39))


def test_memory_map_stays_on_disk(tmp_path):
    np.save(tmp_path / "X.npy", make_check_images().astype(np.float64))
    checked = check_images(np.load(tmp_path / "X.npy", mmap_mode="r"))
    assert is_on_disk(checked) and checked.dtype == np.float64


def test_error_in_a_late_chunk_names_the_right_slice():
    images = np.zeros((200, 1, 2, 3))
    images[150, 0, 1, 2] = np.inf
    with pytest.raises(ValueError, match=r"Z\[150\]"):
        check_images(images, name="Z")


def test_number_of_contrasts_is_compared_with_fit():
    with pytest.raises(ValueError, match="3 contrasts, but the estimator was fitted with 2"):
        check_images(np.zeros((1, 3, 2, 4)), n_contrasts=2)


def test_neighbors_are_finite_over_the_foreground_of_their_slice():
    series = np.stack([make_check_images()] * 3, axis=1)
    assert_array_equal(check_neighbors(series), series)
    row, column = np.argwhere(foreground_of(series[:, 0])[2])[0]
    series[2, 2, 0, row, column] = np.nan
    with pytest.raises(ValueError, match=r"X\[2, 2\] should be a finite neighbor"):
        check_neighbors(series)
    with pytest.raises(ValueError, match=r"\(n_samples, 3, n_contrasts.*got \(6, 2,"):
        check_neighbors(series[:, :2])


def test_a_neighbor_may_lack_what_its_slice_lacks():
    series = np.stack([make_check_images()] * 3, axis=1)
    series[2, :, 1] = np.nan
    assert_array_equal(check_neighbors(series, allow_missing=True), series)
    with pytest.raises(ValueError, match=r"X\[2\] lacks contrast 1"):
        check_neighbors(series)
    series[2, 0, 1] = series[2, 0, 0]
    with pytest.raises(ValueError, match=r"X\[2, 1\] should be a finite neighbor"):
        check_neighbors(series, allow_missing=True)


def test_images_or_neighbors_are_told_by_their_axes_and_pairs_refused():
    images = make_check_images()
    series = np.stack([images] * 3, axis=1)
    assert_array_equal(check_images_or_neighbors(images), images)
    assert_array_equal(check_images_or_neighbors(series), series)
    with pytest.raises(ValueError, match=r"should have shape \(n_samples, n_contrasts, height, width\)"):
        check_images_or_neighbors(series[:, :2])
