"""Statistics over subjects and seeds, against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats

from skad.evaluation import (
    by_subject,
    confidence_interval,
    holm,
    over_seeds,
    over_subjects,
    paired_comparison,
)


def test_sessions_and_seeds_are_averaged_before_subjects_are_compared():
    rows = [
        {"subject": "a", "roc_auc": 0.5},
        {"subject": "a", "roc_auc": 0.7},
        {"subject": "b", "roc_auc": float("nan")},
        {"subject": "c", "roc_auc": 1.0},
    ]
    assert by_subject(rows, "roc_auc") == {"a": pytest.approx(0.6), "c": 1.0}
    assert over_subjects(rows, "roc_auc") == (pytest.approx(0.8), pytest.approx(0.2))
    assert np.isnan(over_subjects(rows[2:3], "roc_auc")).all()


def test_a_seed_without_a_value_leaves_no_mean():
    assert over_seeds([1.0, 3.0]) == (2.0, pytest.approx(np.sqrt(2)))
    assert np.isnan(over_seeds([1.0, np.nan])[0]) and np.isnan(over_seeds([1.0])[1])


def test_the_interval_is_that_of_resampled_patients():
    """Against resampling by hand; the bounds of many resamples differ by little."""
    values = np.random.default_rng(1).beta(5, 2, size=13)
    rng = np.random.default_rng(7)
    means = values[rng.integers(13, size=(20_000, 13))].mean(axis=1)
    np.testing.assert_allclose(confidence_interval(values), np.percentile(means, [2.5, 97.5]), atol=0.005)
    assert confidence_interval(values) == confidence_interval(values)
    assert np.isnan(confidence_interval([0.5])).all()


def test_methods_are_compared_on_the_subjects_both_have():
    rng = np.random.default_rng(2)
    ours = dict(zip("abcdefg", rng.normal(0.8, 0.1, 7), strict=True))
    theirs = dict(zip("bcdefgh", rng.normal(0.7, 0.1, 7), strict=True))
    found = paired_comparison(ours, theirs)
    differences = np.array([ours[p] - theirs[p] for p in "bcdefg"])
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(6))
    assert found["n_subjects"] == 6 and found["difference"] == pytest.approx(differences.mean())
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(t), df=5))
    assert found["low"] < found["difference"] < found["high"]


def test_the_same_scores_have_no_p_value():
    scores = {"a": 0.5, "b": 0.7}
    assert np.isnan(paired_comparison(scores, scores)["p"])
    assert np.isnan(paired_comparison(scores, {"a": 0.1})["p"])


def test_holm_rejects_what_the_procedure_in_words_rejects():
    """Sorted p-values are compared with level / (m - i) until one is not below it."""
    p = np.random.default_rng(0).beta(0.3, 3, size=12)
    p[[2, 5]] = p[5], np.nan
    tested = np.sort(p[~np.isnan(p)])
    for level in (0.001, 0.01, 0.05, 0.2):
        rejected = tested <= level / np.arange(tested.size, 0, -1)
        expected = tested[: np.argmin(rejected) if not rejected.all() else None]
        with np.errstate(invalid="ignore"):
            assert sorted(p[holm(p) <= level]) == expected.tolist()
    assert np.isnan(holm(p)[5]) and holm([]).shape == (0,)
