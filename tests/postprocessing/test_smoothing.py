"""Smoothing that stays inside the foreground."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from skad.postprocessing import smooth_across_slices, smooth_foreground, smooth_volume
from skad.utils.estimator_checks.data import make_check_images


def directly(image, sigma):
    """Pixel by pixel: the mean of the visible neighbors, weighted by a Gaussian cut at 4 sigma."""
    reach = int(4 * sigma + 0.5)
    result = np.full_like(image, np.nan)
    for row, column in np.argwhere(~np.isnan(image)):
        weights, total = 0.0, 0.0
        for i in range(max(0, row - reach), min(image.shape[0], row + reach + 1)):
            for j in range(max(0, column - reach), min(image.shape[1], column + reach + 1)):
                if not np.isnan(image[i, j]):
                    weight = np.exp(-((i - row) ** 2 + (j - column) ** 2) / (2 * sigma**2))
                    weights, total = weights + weight, total + weight * image[i, j]
        result[row, column] = total / weights
    return result


@pytest.mark.parametrize("sigma", [0.7, 1.5])
def test_equals_the_sum_over_visible_neighbors(sigma):
    image = make_check_images(1, 1)[0, 0]
    assert_allclose(smooth_foreground(image, sigma), directly(image, sigma), atol=1e-5)


def test_without_background_far_from_the_edge_it_is_scipys():
    image = np.random.default_rng(0).normal(size=(40, 44))
    inside = np.s_[10:-10, 10:-10]
    assert_allclose(smooth_foreground(image, 2.0)[inside], gaussian_filter(image, 2.0)[inside])


def test_constant_stays_constant_up_to_the_edge():
    image = np.where(np.isnan(make_check_images()), np.nan, 3.0)
    assert_allclose(smooth_foreground(image, 2.0), image)


def test_background_neither_shrinks_nor_grows():
    images = make_check_images()
    assert_array_equal(np.isnan(smooth_foreground(images, 3.0)), np.isnan(images))


def test_slices_and_contrasts_do_not_mix():
    images = make_check_images()
    whole = smooth_foreground(images, 1.5)
    assert_allclose(smooth_foreground(images[1, 0], 1.5), whole[1, 0], atol=1e-6)


def test_zero_changes_nothing():
    images = make_check_images()
    assert_array_equal(smooth_foreground(images, 0), images)


def test_dtype_is_kept_and_input_is_not_written():
    images = make_check_images()
    before = images.copy()
    assert smooth_foreground(images, 1.0).dtype == np.float32
    assert_array_equal(images, before)


def test_smoothing_across_slices_is_a_gaussian_along_evenly_spaced_ones():
    maps = np.random.default_rng(0).normal(size=(40, 7, 8))
    expected = gaussian_filter1d(maps, 2.0, axis=0, mode="constant", truncate=12)
    share = gaussian_filter1d(np.ones(40), 2.0, mode="constant", truncate=12)[:, None, None]
    smoothed = smooth_across_slices(maps, 3.0 * np.arange(40), sigma=6.0)
    assert_allclose(smoothed, expected / share, atol=1e-7)


def test_smoothing_across_slices_goes_by_distance_and_leaves_the_background():
    maps = np.random.default_rng(0).normal(size=(3, 7, 8)).astype(np.float32)
    maps[0, :2] = np.nan
    smoothed = smooth_across_slices(maps, [0.0, 50.0, 1.0], sigma=1.0)
    assert smoothed.dtype == np.float32
    assert_array_equal(np.isnan(smoothed), np.isnan(maps))
    assert_allclose(smoothed[1], maps[1])  # far from both
    assert_allclose(smoothed[2, :2], maps[2, :2])  # its neighbor is background there
    weight = np.exp(-0.5)
    assert_allclose(smoothed[0, 2:], (maps[0, 2:] + weight * maps[2, 2:]) / (1 + weight), rtol=1e-5)


def test_smoothing_a_volume_is_an_isotropic_gaussian_in_mm():
    maps = np.random.default_rng(0).normal(size=(9, 20, 24))
    sigmas = (8.0 / 3.0, 8.0 / 2.0, 8.0 / 4.0)
    expected = gaussian_filter(maps, sigmas, mode="constant", truncate=9)
    share = gaussian_filter(np.ones_like(maps), sigmas, mode="constant", truncate=9)
    smoothed = smooth_volume(maps, 3.0 * np.arange(9), (2.0, 4.0), sigma=8.0)
    assert_allclose(smoothed, expected / share, atol=1e-3)  # the blur within slices ends at 4 sigma
