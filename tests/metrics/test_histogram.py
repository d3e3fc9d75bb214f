import pickle
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from skad.metrics import (
    ScoreHistogram,
    UndefinedScoreError,
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_rates,
    foreground_roc_auc_score,
)

FINITE = st.floats(width=32, allow_nan=True, allow_infinity=False)
STACKS = st.tuples(
    arrays(np.int64, (2, 3), elements=st.integers(0, 2)), arrays(np.float32, (2, 3), elements=FINITE)
)


def lognormal(n=200_000, sigma=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y_true = (rng.random(n) < 0.06).astype(int) * rng.integers(1, 3, n)
    return y_true, np.exp(sigma * (rng.normal(size=n) + (y_true > 0)))


def same_counts(first, second):
    return first.labels == second.labels and all(
        (first.counts(k) == second.counts(k)).all() for k in first.labels
    )


@pytest.mark.parametrize("sigma", [0.1, 1, 10])
@pytest.mark.parametrize("label", [None, 1, 2])
def test_roc_auc_of_lognormal_scores_is_within_1e_4_of_exact(sigma, label):
    y_true, anomaly = lognormal(sigma=sigma)
    chosen = (y_true == 0) | (y_true > 0 if label is None else y_true == label)
    exact = roc_auc_score(y_true[chosen] > 0, anomaly[chosen])
    assert ScoreHistogram().update(y_true, anomaly).roc_auc(label=label) == pytest.approx(exact, abs=1e-4)


def test_average_precision_and_dice_of_lognormal_scores_are_within_1e_2_of_exact():
    y_true, anomaly = lognormal()
    histogram = ScoreHistogram().update(y_true, anomaly)
    assert histogram.average_precision() == pytest.approx(
        average_precision_score(y_true > 0, anomaly), abs=1e-2
    )
    assert histogram.best_dice() == pytest.approx(foreground_best_dice_score(y_true, anomaly), abs=1e-2)


def test_scores_that_fill_no_bin_twice_are_scored_exactly(lesions):
    y_true, anomaly = lesions[0], lesions[1].round() / 2  # ties only, both signs, and -0.0 beside 0.0
    assert np.signbit(anomaly[anomaly == 0]).any() and not np.signbit(anomaly[anomaly == 0]).all()
    histogram = ScoreHistogram().update(y_true, anomaly)
    for label in (None, 1, 2):
        assert histogram.roc_auc(label=label) == pytest.approx(
            foreground_roc_auc_score(y_true, anomaly, label=label), rel=1e-12
        )
        assert histogram.average_precision(label=label) == pytest.approx(
            foreground_average_precision_score(y_true, anomaly, label=label), rel=1e-12
        )
        assert histogram.best_dice(label=label) == foreground_best_dice_score(y_true, anomaly, label=label)


@settings(deadline=None)
@given(arrays(np.float32, 20, elements=FINITE), st.sampled_from([10, 12, 16]))
def test_score_reaches_an_edge_if_and_only_if_its_bin_does(anomaly, bits):
    histogram = ScoreHistogram(bits=bits).update(np.zeros(20, dtype=int), anomaly)
    edges = histogram.edges
    assert (np.diff(edges) > 0).all()
    bins = np.repeat(np.arange(edges.size), histogram.counts(0))
    scores = np.sort(anomaly[~np.isnan(anomaly)])
    np.testing.assert_array_equal(np.searchsorted(edges, scores, side="right") - 1, bins)


def test_points_of_the_curve_are_points_of_the_exact_curve():
    y_true, anomaly = lognormal(n=3000)
    anomaly = anomaly.astype(np.float32) - 2
    fpr, tpr, thresholds = ScoreHistogram(bits=12).update(y_true, anomaly).roc_curve()
    assert (fpr[0], tpr[0], thresholds[0], fpr[-1], tpr[-1]) == (0, 0, np.inf, 1, 1)
    for f, t, threshold in zip(fpr, tpr, thresholds, strict=True):
        rates = foreground_rates(y_true, anomaly, threshold=threshold)
        assert (1 - rates["specificity"], rates["sensitivity"]) == (pytest.approx(f), pytest.approx(t))


def test_best_dice_is_reached_at_its_threshold(lesions):
    histogram = ScoreHistogram(bits=11).update(*lesions)
    rates = foreground_rates(*lesions, threshold=histogram.best_dice_threshold(label=2), label=2)
    assert rates["f1"] == pytest.approx(histogram.best_dice(label=2))


@settings(deadline=None)
@given(STACKS, STACKS, STACKS)
def test_merging_is_associative_and_commutative_and_the_same_as_one_pass(a, b, c):
    a, b, c, whole = (
        ScoreHistogram().update(*s) for s in (a, b, c, [np.stack(v) for v in zip(a, b, c, strict=True)])
    )
    assert same_counts((a + b) + c, a + (b + c)) and same_counts(a + b, b + a)
    assert same_counts(sum([a, b, c]), whole)


def test_merging_leaves_the_parts_as_they_were(lesions):
    first, second = ScoreHistogram().update(*lesions), ScoreHistogram().update(*lesions)
    (first + second).update(*lesions)
    assert same_counts(first, second)


def test_chunks_add_up(lesions, monkeypatch):
    whole = ScoreHistogram().update(*lesions)
    monkeypatch.setattr("skad.metrics.histogram.CHUNK", 64)
    assert same_counts(ScoreHistogram().update(*lesions), whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int16, bool])
def test_any_integer_labels_memory_order_and_float64_count_alike(dtype, lesions):
    y_true, anomaly = (lesions[0] > 0).astype(dtype), lesions[1]
    expected = ScoreHistogram().update((lesions[0] > 0).astype(int), anomaly)
    fortran = np.asfortranarray(anomaly.astype(np.float64))
    assert same_counts(ScoreHistogram().update(y_true, fortran), expected)


def test_pickle_keeps_the_counts(lesions):
    histogram = ScoreHistogram(bits=14).update(*lesions)
    assert same_counts(pickle.loads(pickle.dumps(histogram)), histogram)


@settings(deadline=None)
@given(arrays(np.float32, 30, elements=st.floats(-1e3, 1e3, width=32)), st.floats(0, 1))
def test_at_most_the_promised_share_reaches_a_quantile_and_it_is_one_bin_off_at_most(anomaly, q):
    histogram = ScoreHistogram().update(np.zeros(30, dtype=int), anomaly)
    threshold, exact = histogram.quantile(q), np.quantile(anomaly, q, method="inverted_cdf")
    assert (anomaly >= threshold).mean() <= 1 - q + 1e-12
    assert exact < threshold <= exact + max(abs(exact) * 2.0**-7, 1e-38)


def test_quantile_of_a_label_looks_at_its_pixels_only():
    histogram = ScoreHistogram().update(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 64.0, 128.0]))
    low, high = histogram.quantile([0, 1], label=0)
    assert 1 < low < 1.01 and 2 < high < 2.02


def test_empty_update_counts_nothing():
    assert ScoreHistogram().update(np.zeros((0, 3), int), np.zeros((0, 3))).labels == []


@pytest.mark.parametrize(
    ("y_true", "anomaly", "message"),
    [
        ([0, 1], [0.0], r"shape of y_true, \(2,\), got \(1,\)"),
        ([0.0, 1.0], [0.0, 1.0], "integer labels"),
        ([0, -1], [0.0, 1.0], "labels >= 0, got -1"),
        ([0, 70000], [0.0, 1.0], "up to 65535, got 70000"),
        ([0, 1], [0.0, np.inf], "infinite"),
        ([0, 1], [0.0, 1e39], "float32's range"),
        ([0, 1], [0.0, 1j], "real numbers"),
    ],
)
def test_bad_input_is_an_error_and_counts_nothing(y_true, anomaly, message, monkeypatch):
    monkeypatch.setattr("skad.metrics.histogram.CHUNK", 1)
    histogram = ScoreHistogram()
    with pytest.raises(ValueError, match=message):
        histogram.update(np.array(y_true), np.array(anomaly))
    assert histogram.labels == []


@pytest.mark.parametrize("bits", [9, 21])
def test_bits_out_of_range_are_an_error(bits):
    with pytest.raises(ValueError, match=f"from 10 .* to 20, got {bits}"):
        ScoreHistogram(bits=bits)


def test_different_bits_cannot_be_merged():
    with pytest.raises(ValueError, match="same bits to be added, got 12 and 16"):
        ScoreHistogram(bits=12) + ScoreHistogram()


def test_a_missing_class_leaves_the_score_undefined(lesions):
    histogram = ScoreHistogram().update(*lesions)
    with pytest.raises(UndefinedScoreError, match=r"label=5 .* labels \[0, 1, 2\]"):
        histogram.roc_auc(label=5)
    with pytest.raises(UndefinedScoreError, match="got none"):
        ScoreHistogram().quantile(0.5)


@pytest.mark.parametrize("q", [-0.1, [0.5, 1.1], np.nan])
def test_quantiles_outside_the_unit_interval_are_an_error(q, lesions):
    with pytest.raises(ValueError, match=r"q should lie in \[0, 1\]"):
        ScoreHistogram().update(*lesions).quantile(q)


def test_benchmark_writes_its_table(tmp_path, monkeypatch):
    script = Path(__file__).parents[2] / "benchmarks" / "histogram.py"
    monkeypatch.setattr(sys, "argv", ["histogram.py", "--pixels", "4000", "--out", str(tmp_path / "t.md")])
    runpy.run_path(str(script), run_name="__main__")
    rows = [line for line in (tmp_path / "t.md").read_text().splitlines() if line.startswith("|")]
    assert len(rows) >= 4 and len({row.count("|") for row in rows}) == 1
