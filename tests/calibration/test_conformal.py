"""Coverage by simulation, the quantile rule on paper, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.calibration.conformal import (
    check_patients,
    largest_score,
    minimum_patients,
    p_value_curve,
    p_values_of,
    score_tail,
    threshold_at,
)

RATES = (0.001, 0.01, 0.05, 0.1)


def patients(rng, n_repeats, n_patients, n_pixels):
    """Scores of exchangeable patients who differ more among each other than their pixels do."""
    level = rng.normal(size=(n_repeats, n_patients, 1))
    width = rng.lognormal(sigma=0.5, size=(n_repeats, n_patients, 1))
    return level + width * rng.standard_exponential((n_repeats, n_patients, n_pixels))


def realized(fpr, n_calibration, sample, n_repeats=2000, n_pixels=60, seed=0):
    """Share of a new patient's scores above the threshold in every repeat, and whether there is any."""
    scores = patients(np.random.default_rng(seed), n_repeats, n_calibration + 1, n_pixels)
    thresholds = [
        threshold_at(fpr, *p_value_curve([sample(patient) for patient in repeat[1:]])) for repeat in scores
    ]
    above = scores[:, 0] > np.array(thresholds)[:, None]
    return above.mean(axis=1), above.any(axis=1)


def band(rates):
    return 3 * rates.std() / math.sqrt(len(rates))


@pytest.mark.parametrize(("fpr", "n"), [(0.05, 19), (0.05, 30), (0.2, 24), (0.1, 60)])
def test_share_of_normal_patients_with_any_false_positive_is_the_one_on_paper(fpr, n):
    _, hit = realized(fpr, n, largest_score, n_pixels=5)
    exact = math.floor((n + 1) * fpr + 1e-9) / (n + 1)
    assert exact <= fpr
    assert abs(hit.mean() - exact) <= 3 * math.sqrt(exact * (1 - exact) / len(hit))


@pytest.mark.parametrize(("fpr", "n"), [(0.05, 19), (0.05, 60), (0.1, 40), (0.2, 40)])
def test_share_of_false_positive_pixels_is_at_most_the_rate_and_not_vacuous(fpr, n):
    share, _ = realized(fpr, n, score_tail)
    assert share.mean() <= fpr + band(share)
    assert share.mean() >= fpr - 2 / (n + 1) - band(share)  # Angelopoulos et al. 2022, theorem 2
    if n >= 40:
        assert share.mean() > 0.4 * fpr


def test_a_rate_of_pixels_promises_nothing_of_patients():
    _, hit = realized(0.05, 40, score_tail)
    assert hit.mean() > 0.05 + band(hit)


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=30),
    st.floats(0.02, 0.98),
    st.lists(st.integers(-1, 13), min_size=1, max_size=8),
)
def test_a_score_is_abnormal_above_the_conformal_quantile_ties_or_not(maxima, fpr, scores):
    n = len(maxima)
    rank = math.ceil((n + 1) * (1 - fpr) - 1e-12)
    curve = p_value_curve([largest_score(np.array([maximum])) for maximum in maxima])
    scores = np.array(scores, dtype=float)
    quantile = np.inf if rank > n else sorted(maxima)[rank - 1]
    np.testing.assert_array_equal(p_values_of(scores, *curve) <= fpr, scores > quantile)
    if rank <= n:
        assert threshold_at(fpr, *curve) == quantile


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=8),
    st.lists(st.integers(-1, 10), min_size=1, max_size=8),
)
def test_p_values_are_those_of_the_definition(cohort, scores):
    expected = [
        (1 + sum(np.mean(np.array(patient) >= score) for patient in cohort)) / (len(cohort) + 1)
        for score in scores
    ]
    curve = p_value_curve([score_tail(np.array(patient, dtype=float)) for patient in cohort])
    np.testing.assert_allclose(p_values_of(np.array(scores, dtype=float), *curve), expected, rtol=1e-12)


@given(st.integers(0, 1000), st.integers(1, 400), st.integers(1, 40))
def test_fewer_numbers_overstate_the_tail_a_little_and_never_understate_it(seed, n, n_knots):
    scores = np.random.default_rng(seed).integers(0, 50, n).astype(float)
    values, weights = score_tail(scores, n_knots)
    assert len(values) <= n_knots and weights.sum() == pytest.approx(1)
    for score in np.unique(scores):
        exact, bound = np.mean(scores >= score), weights[values >= score].sum()
        assert bound >= exact - 1e-12


def test_a_million_scores_lose_less_than_two_percent_of_a_tail():
    scores = np.random.default_rng(0).normal(size=1_000_000)
    values, weights = score_tail(scores)
    for score in np.quantile(scores, 1 - np.array([0.5, 0.1, 1e-2, 1e-3, 1e-5])):
        assert 1 - 1e-9 <= weights[values >= score].sum() / np.mean(scores >= score) < 1.02


@pytest.mark.parametrize(("fpr", "n"), [(0.001, 999), (0.01, 99), (0.05, 19), (0.1, 9), (0.3, 3), (0.5, 1)])
def test_fewest_patients_on_paper(fpr, n):
    assert minimum_patients(fpr) == n
    assert 1 / (n + 1) <= fpr
    check_patients(n, fpr)
    if n > 1:
        with pytest.raises(ValueError, match=rf"needs at least {n} normal patients .* got {n - 1}: add"):
            check_patients(n - 1, fpr)


@given(st.integers(1, 5000))
def test_the_rate_that_is_advised_is_accepted(n):
    with pytest.raises(ValueError, match="at least") as error:
        check_patients(n, 1e-5)
    check_patients(n, float(str(error.value).split()[-1].rstrip(".")))


@pytest.mark.parametrize("fpr", RATES)
def test_at_the_fewest_patients_only_what_exceeds_all_is_abnormal(fpr):
    n = minimum_patients(fpr)
    maxima = np.random.default_rng(0).permutation(n).astype(float)
    curve = p_value_curve([largest_score(maximum[None]) for maximum in maxima])
    assert threshold_at(fpr, *curve) == n - 1


def test_background_has_no_p_value():
    curve = p_value_curve([largest_score(np.array([1.0]))])
    np.testing.assert_array_equal(p_values_of(np.array([np.nan, 2.0]), *curve), [np.nan, 0.5])
