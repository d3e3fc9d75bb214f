"""False alarms as rare as promised; rescaled and swapped scores are told."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.calibration.drift import drift_p_value, summarize


def cohort(rng, n, *, scale=1.0, offset=0.0):
    """Quantiles of the scores of patients who differ in level and spread."""
    level, spread = rng.normal(5, 0.3, (n, 1)), rng.lognormal(0, 0.15, (n, 1))
    scores = scale * (level + spread * rng.standard_exponential((n, 200))) + offset
    return np.array([summarize(patient) for patient in scores])


@pytest.mark.parametrize(("n_calibration", "n_new"), [(19, 1), (30, 1), (20, 6), (6, 3)])
def test_false_alarms_are_at_most_five_percent_and_not_never(n_calibration, n_new):
    rng = np.random.default_rng(n_calibration)
    alarms = np.array(
        [drift_p_value(cohort(rng, n_calibration), cohort(rng, n_new)) <= 0.05 for _ in range(1000)]
    )
    assert alarms.mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(alarms))
    assert alarms.mean() >= 0.02


@pytest.mark.parametrize("n_new", [1, 5])
@pytest.mark.parametrize("shift", [{"scale": 1.6}, {"scale": 0.5}, {"offset": 2.5}, {"offset": -2.5}])
def test_scores_of_another_scale_or_level_are_told(shift, n_new):
    rng = np.random.default_rng(0)
    found = [drift_p_value(cohort(rng, 30), cohort(rng, n_new, **shift)) <= 0.05 for _ in range(50)]
    assert np.mean(found) >= 0.9


def test_a_cohort_tells_what_a_single_patient_cannot():
    rng = np.random.default_rng(0)
    alone, together = (
        np.mean([drift_p_value(cohort(rng, 30), cohort(rng, n, offset=0.4)) <= 0.05 for _ in range(50)])
        for n in (1, 15)
    )
    assert together > alone + 0.3


@given(st.integers(0, 1000), st.integers(2, 40))
def test_for_one_patient_it_is_the_rank_of_the_distance_from_the_mean(seed, n):
    pooled = np.random.default_rng(seed).normal(size=(n + 1, 5))
    low, high = np.quantile(pooled, (0.25, 0.75), axis=0)
    distance = np.linalg.norm((pooled - pooled.mean(axis=0)) / (high - low), axis=1)
    assert drift_p_value(pooled[1:], pooled[:1]) == np.sum(distance >= distance[0]) / (n + 1)


def test_many_regroupings_are_drawn_and_few_are_all_tried():
    rng = np.random.default_rng(0)
    far = cohort(rng, 12, offset=50)
    assert drift_p_value(cohort(rng, 12), far) == 1 / 1000
    assert drift_p_value(cohort(rng, 4), far[:2]) == 1 / math.comb(6, 2)


def test_equal_scores_are_no_drift():
    assert drift_p_value(np.ones((20, 5)), np.ones((2, 5))) == 1
