import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from skad.metrics import (
    UndefinedScoreError,
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_best_dice_threshold,
    foreground_rates,
    foreground_roc_auc_score,
    foreground_roc_curve,
)

EXACT = [foreground_roc_auc_score, foreground_average_precision_score, foreground_best_dice_score]


def sklearn_dice(y_true, scores):
    precision, recall, _ = precision_recall_curve(y_true, scores)
    return np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))


SKLEARN = [roc_auc_score, average_precision_score, sklearn_dice]
PAIRS = pytest.mark.parametrize(("metric", "reference"), list(zip(EXACT, SKLEARN, strict=True)))


@PAIRS
@settings(deadline=None)
@given(
    y_true=arrays(np.int64, (3, 4, 5), elements=st.integers(0, 2)),
    anomaly=arrays(np.float64, (3, 4, 5), elements=st.sampled_from([-1.5, -0.0, 0.0, 0.5, 2.0, np.nan])),
)
def test_equals_scikit_learn_on_ties(metric, reference, y_true, anomaly):
    foreground = ~np.isnan(anomaly)
    truth = y_true[foreground] > 0
    assume(0 < truth.sum() < truth.size)
    assert metric(y_true, anomaly) == pytest.approx(reference(truth, anomaly[foreground]), rel=1e-12)


@PAIRS
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_equals_scikit_learn_with_background(metric, reference, dtype, lesions):
    y_true, anomaly = lesions[0], lesions[1].astype(dtype)
    foreground = ~np.isnan(anomaly)
    expected = reference(y_true[foreground] > 0, anomaly[foreground].astype(np.float64))
    assert metric(y_true, anomaly) == pytest.approx(expected, rel=1e-12)


@PAIRS
@pytest.mark.parametrize("label", [1, 2])
def test_label_leaves_the_other_classes_out(metric, reference, label, lesions):
    y_true, anomaly = lesions
    chosen = ~np.isnan(anomaly) & np.isin(y_true, [0, label])
    assert metric(y_true, anomaly, label=label) == pytest.approx(
        reference(y_true[chosen] == label, anomaly[chosen]), rel=1e-12
    )


@PAIRS
def test_equals_scikit_learn_over_six_hundred_orders_of_magnitude(metric, reference):
    rng = np.random.default_rng(1)
    y_true = rng.integers(0, 2, size=(2, 30, 40))
    anomaly = np.exp(rng.normal(scale=200, size=y_true.shape).clip(-690, 690) + y_true)
    assert metric(y_true, anomaly) == pytest.approx(reference(y_true.ravel(), anomaly.ravel()), rel=1e-12)


@pytest.mark.parametrize(("metric", "expected"), list(zip(EXACT, [0.5, 0.25, 0.4], strict=True)))
def test_constant_map_scores_chance(metric, expected):
    # One pixel in four is abnormal: precision 1/4 at recall 1, so Dice is 2 * 1/4 / (1 + 1/4).
    assert metric(np.array([[0, 0, 0, 1]]), np.full((1, 4), 3.0)) == pytest.approx(expected)


@pytest.mark.parametrize("metric", EXACT)
def test_labels_of_background_are_not_read(metric, lesions):
    y_true, anomaly = lesions
    changed = np.where(np.isnan(anomaly), 7, y_true)
    assert metric(changed, anomaly) == metric(y_true, anomaly)


@pytest.mark.parametrize("metric", EXACT)
def test_read_only_memmap_is_scored_and_left_alone(metric, lesions, tmp_path):
    np.save(tmp_path / "anomaly.npy", lesions[1])
    anomaly = np.load(tmp_path / "anomaly.npy", mmap_mode="r")
    assert metric(lesions[0], anomaly) == metric(*lesions)


def test_best_dice_is_reached_at_its_threshold(lesions):
    threshold = foreground_best_dice_threshold(*lesions, label=1)
    rates = foreground_rates(*lesions, threshold=threshold, label=1)
    assert rates["f1"] == pytest.approx(foreground_best_dice_score(*lesions, label=1), rel=1e-12)


def test_roc_curve_equals_scikit_learn_point_by_point(lesions):
    y_true, anomaly = lesions[0], lesions[1].round(1)
    foreground = ~np.isnan(anomaly)
    expected = roc_curve(y_true[foreground] > 0, anomaly[foreground], drop_intermediate=False)
    for ours, theirs in zip(foreground_roc_curve(y_true, anomaly), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-7)


def test_quantile_thresholds_lie_on_the_exact_curve_and_reach_both_ends(lesions):
    exact = set(zip(*foreground_roc_curve(*lesions), strict=True))
    few = list(zip(*foreground_roc_curve(*lesions, n_thresholds=9), strict=True))
    assert set(few) <= exact and len(few) == 10
    assert few[0][:2] == (0, 0) and few[-1][:2] == (1, 1)


def test_quantile_thresholds_stay_right_on_a_heavy_tail_where_even_ones_fail():
    rng = np.random.default_rng(2)
    y_true = rng.integers(0, 2, size=20_000)
    anomaly = np.exp(4 * rng.normal(size=y_true.size) + 4 * y_true)
    exact = foreground_roc_auc_score(y_true, anomaly)
    fpr, tpr, _ = foreground_roc_curve(y_true, anomaly, n_thresholds=1000)
    even = np.linspace(anomaly.max(), anomaly.min(), 1000)
    rates = [[(anomaly[y_true == k] >= t).mean() for t in even] for k in (0, 1)]
    assert np.trapezoid(tpr, fpr) == pytest.approx(exact, abs=1e-4)
    assert abs(np.trapezoid(rates[1], rates[0]) - exact) > 0.1


Y, A = np.array([[0, 1, 2]]), np.array([[0.0, 1.0, 2.0]])


@pytest.mark.parametrize("metric", [*EXACT, foreground_best_dice_threshold, foreground_roc_curve])
@pytest.mark.parametrize(
    ("y_true", "anomaly", "label", "message"),
    [
        (Y, A[:, :2], None, r"shape of y_true, \(1, 3\), got \(1, 2\)"),
        (Y * 1.0, A, None, "integer labels.*got dtype float64"),
        (Y - 1, A, None, "labels >= 0, got -1"),
        (Y, A + 0j, None, "real numbers, got dtype complex128"),
        (Y, np.array([[0, np.inf, -np.inf]]), None, "got 2 infinite values"),
        (Y, A, 3, r"label=3 should be present in the foreground, got only the labels \[0, 1, 2\]"),
        (Y, A, 0, "abnormality class >= 1.*got 0"),
    ],
)
def test_bad_input_is_an_error_of_one_sentence(metric, y_true, anomaly, label, message):
    with pytest.raises(ValueError, match=message):
        metric(y_true, anomaly, label=label)


@pytest.mark.parametrize(
    ("y_true", "anomaly", "message"),
    [
        (np.zeros((1, 3), int), A, r"normal \(0\) and abnormal .* got only the labels \[0\]"),
        (np.ones((1, 3), int), A, r"got only the labels \[1\]"),
        (Y, np.array([[0, np.nan, np.nan]]), r"got only the labels \[0\]"),
        (Y, A * np.nan, "foreground pixels, got none"),
    ],
)
def test_a_missing_class_leaves_the_score_undefined(y_true, anomaly, message):
    with pytest.raises(UndefinedScoreError, match=message):
        foreground_roc_auc_score(y_true, anomaly)


def test_fewer_than_two_thresholds_are_an_error():
    with pytest.raises(ValueError, match=r"at least 2.*got 1"):
        foreground_roc_curve(Y, A, n_thresholds=1)
