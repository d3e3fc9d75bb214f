"""Mean ROC curves against scikit-learn's curve of every volume."""

import numpy as np
import pytest
from sklearn.metrics import auc, roc_auc_score, roc_curve

from skad.metrics import UndefinedScoreError, classwise_report, mean_roc_curve

VOLUMES = np.array(["b", "a", "b", "c", "a"])


def volume_pixels(y_true, anomaly, label):
    for volume in "abc":
        y, scores = y_true[volume == VOLUMES], anomaly[volume == VOLUMES]
        chosen = ~np.isnan(scores) & np.isin(y, [0, label])
        yield y[chosen] == label, scores[chosen]


def test_curve_is_the_mean_sensitivity_at_every_false_positive_rate(lesions):
    fpr, tpr, *_ = mean_roc_curve(*lesions, VOLUMES, label=2, n_thresholds=None)
    curves = [roc_curve(*v, drop_intermediate=False)[:2] for v in volume_pixels(*lesions, 2)]
    for rate in (0.05, 0.3, 0.7):
        expected = np.mean([np.interp(rate, *curve) for curve in curves])
        assert np.interp(rate, fpr, tpr) == pytest.approx(expected, abs=5e-3)
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (np.diff(tpr) >= 0).all() and (np.diff(fpr) >= 0).all()


def test_areas_are_scikit_learns_mean_and_sd_and_that_of_the_curve(lesions):
    fpr, tpr, mean, sd = mean_roc_curve(*lesions, VOLUMES, label=1)
    areas = [roc_auc_score(*v) for v in volume_pixels(*lesions, 1)]
    assert (mean, sd) == (pytest.approx(np.mean(areas)), pytest.approx(np.std(areas)))
    assert auc(fpr, tpr) == pytest.approx(mean, abs=5e-3)


def test_areas_are_those_of_the_report(lesions):
    row = classwise_report(*lesions, VOLUMES, labels=[2])[0]
    assert mean_roc_curve(*lesions, VOLUMES, label=2)[2:] == pytest.approx(
        (row["roc_auc"], row["roc_auc_sd"])
    )


def test_volumes_without_the_class_are_left_out(lesions):
    y_true, anomaly = lesions
    y_true = np.where((VOLUMES == "b")[:, None, None] & (y_true == 2), 0, y_true)
    with_it = VOLUMES != "b"
    expected = mean_roc_curve(y_true[with_it], anomaly[with_it], VOLUMES[with_it], label=2)
    for a, b in zip(mean_roc_curve(y_true, anomaly, VOLUMES, label=2), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_class_that_nobody_has_is_an_error(lesions):
    with pytest.raises(UndefinedScoreError, match="label=8"):
        mean_roc_curve(*lesions, VOLUMES, label=8)


def test_a_class_that_no_volume_holds_beside_normal_pixels_is_an_error():
    y_true, anomaly = np.array([[[0, 0]], [[1, 1]]]), np.zeros((2, 1, 2))
    with pytest.raises(UndefinedScoreError, match="both normal pixels and label=None"):
        mean_roc_curve(y_true, anomaly, ["a", "b"])
