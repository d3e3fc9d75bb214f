"""Maps weighed by the prevalence of lesions around each pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import beta

from skad.postprocessing import add_local_prevalence
from skad.utils.estimator_checks.data import make_check_images

PIXEL = (1.5, 2.0)


def p_values(shape=(3, 7, 8), lesion_at=(1, 2, 3), seed=0):
    """-log p of uniform p-values, but for a lesion; a few pixels of background."""
    maps = -np.log(np.random.default_rng(seed).uniform(size=shape))
    maps[lesion_at] = 9.0
    maps[:, :2, :2] = np.nan
    return maps


def bayes_rule(maps, positions, sigma):
    """Bayes' rule with densities of scipy and prevalences summed pixel by pixel, one step of EM per scale."""
    where = np.argwhere(~np.isnan(maps))
    place = np.column_stack([np.asarray(positions)[where[:, 0]], where[:, 1:] * PIXEL])
    p = np.exp(-maps[~np.isnan(maps)])
    likelihood = beta(0.1, 1).pdf(p)
    prevalence = np.full(len(p), 0.1)
    for scale in (sigma, sigma / 2):
        lesion = prevalence * likelihood / (prevalence * likelihood + 1 - prevalence)
        square = ((place[:, None] - place) ** 2).sum(axis=2)
        weights = np.exp(-square / (2 * scale**2))
        prevalence = 0.8 * weights @ lesion / weights.sum(axis=1) + 0.2 * prevalence
    return prevalence * likelihood / (prevalence * likelihood + 1 - prevalence)


@pytest.mark.parametrize("sigma", [4.0, 10.0])
def test_the_result_ranks_pixels_by_their_posterior_probability(sigma):
    maps, positions = p_values(), [4.0, 0.0, 1.0]
    raised = add_local_prevalence(maps, positions, PIXEL, sigma)
    inside = ~np.isnan(maps)
    posterior = bayes_rule(maps, positions, sigma)
    log_odds = np.log(posterior / (1 - posterior))
    offset = 0.9 * raised[inside] - log_odds  # the same for every pixel
    # the blur is cut off at four standard deviations, which Bayes' rule above is not
    assert_allclose(offset, offset.mean(), atol=2e-3)


def test_a_normal_volume_keeps_its_level():
    maps = -np.log(np.random.default_rng(0).uniform(size=(9, 31, 37)))
    change = add_local_prevalence(maps, 3.0 * np.arange(9), (1.0, 1.0), 24.0) - maps
    assert abs(change.mean()) < 0.02
    assert np.abs(change).max() < 0.5


def test_a_pixel_among_abnormal_ones_exceeds_an_isolated_one():
    maps = np.full((1, 31, 37), 0.7)
    maps[0, :9, :11] = maps[0, 25, 30] = 5.0
    raised = add_local_prevalence(maps, [0.0], (1.0, 1.0), 6.0)
    assert raised[0, 4, 5] > raised[0, 25, 30] + 1
    assert raised[0, 4, 12] > raised[0, 20, 20]  # and so does a normal pixel beside a lesion


def test_distant_slices_are_independent():
    maps = p_values()
    together = add_local_prevalence(maps, [0.0, 1e3, 2e3], PIXEL, 24.0)
    alone = [add_local_prevalence(each[None], [0.0], PIXEL, 24.0)[0] for each in maps]
    assert_allclose(together, alone)


def test_pixels_of_half_the_size_see_half_as_many_millimeters():
    maps = p_values(shape=(1, 7, 8), lesion_at=(0, 2, 3))
    coarse = add_local_prevalence(maps, [0.0], (2.0, 2.0), 8.0)
    assert_allclose(coarse, add_local_prevalence(maps, [0.0], (1.0, 1.0), 4.0))


def test_the_order_of_slices_does_not_matter():
    maps, positions, order = p_values(), np.array([0.0, 3.0, 9.0]), [2, 0, 1]
    expected = add_local_prevalence(maps, positions, PIXEL, 6.0)[order]
    assert_allclose(add_local_prevalence(maps[order], positions[order], PIXEL, 6.0), expected)


@given(st.floats(0.1, 100), st.integers(0, 9))
def test_the_gain_is_finite_and_bounded(sigma, seed):
    maps = p_values(seed=seed)
    maps[0, 3, 3:6] = 1e3
    gain = add_local_prevalence(maps, [0.0, 1.0, 5.0], PIXEL, sigma) - maps
    assert -4 < np.nanmin(gain)
    assert np.nanmax(gain) < 8.5


def test_background_stays_and_nothing_is_written_into_the_input():
    maps = make_check_images(5, 1)[:, 0]
    before = maps.copy()
    raised = add_local_prevalence(maps, np.arange(len(maps)), PIXEL, 5.0)
    assert raised.dtype == np.float32
    assert_array_equal(np.isnan(raised), np.isnan(maps))
    assert_array_equal(maps, before)
    assert add_local_prevalence(maps, np.arange(len(maps)), PIXEL, 0) is maps
