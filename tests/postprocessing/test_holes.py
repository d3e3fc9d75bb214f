"""Holes of a map, against the holes of the masks above every threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from skad.postprocessing import fill_holes
from skad.utils.estimator_checks.data import make_check_images

EIGHT = np.ones((3, 3))


def by_thresholds(image):
    """At every pixel the highest level whose mask holds it, or shuts it off from the background."""
    filled, padded = image.copy(), np.pad(image, 1, constant_values=np.nan)
    for level in np.unique(image[~np.isnan(image)]):
        parts, _ = label(~(padded >= level), EIGHT)
        shut_off = ~np.isin(parts, parts[np.isnan(padded)])[1:-1, 1:-1]
        filled[shut_off & (filled < level)] = level
    return filled


@given(arrays(np.int8, (6, 9), elements=st.integers(0, 5)), st.data())
def test_every_threshold_gives_the_filled_mask(levels, data):
    hidden = data.draw(arrays(bool, levels.shape))
    image = np.where(hidden, np.nan, levels.astype(np.float32))
    np.testing.assert_array_equal(fill_holes(image), by_thresholds(image))


def test_slices_are_filled_one_by_one():
    maps = make_check_images(3, 1)[:, 0]
    filled = fill_holes(maps)
    assert filled.dtype == maps.dtype
    np.testing.assert_array_equal(filled, [by_thresholds(image) for image in maps])


def test_a_ring_is_filled_and_a_horseshoe_is_not():
    ring = np.zeros((7, 8))
    ring[1:6, 1:7] = 3.0
    ring[2:5, 2:6] = 1.0
    horseshoe = ring.copy()
    horseshoe[3, 6] = 1.0
    assert (fill_holes(ring)[1:6, 1:7] == 3.0).all()
    np.testing.assert_array_equal(fill_holes(horseshoe), horseshoe)


@pytest.mark.parametrize("transform", [np.exp, lambda x: 2 * x - 1])
def test_increasing_transforms_commute_with_it(transform):
    maps = make_check_images(1, 1)[0]
    np.testing.assert_array_equal(fill_holes(transform(maps)), transform(fill_holes(maps)))


def test_a_slice_without_foreground_stays_so():
    assert np.isnan(fill_holes(np.full((2, 4, 5), np.nan))).all()
