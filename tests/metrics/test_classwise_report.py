import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score, roc_curve

from skad.metrics import UndefinedScoreError, classwise_report, foreground_rates

VOLUMES = np.array(["b", "a", "b", "c", "a"])


def class_pixels(y_true, anomaly, label):
    chosen = ~np.isnan(anomaly) & np.isin(y_true, [0, label])
    return y_true[chosen] == label, anomaly[chosen]


def sklearn_rates(truth, scores, threshold):
    called = scores >= threshold
    return {
        "sensitivity": recall_score(truth, called),
        "specificity": recall_score(truth, called, pos_label=0),
        "precision": precision_score(truth, called, zero_division=0),
        "f1": f1_score(truth, called),
    }


def youden_threshold(truth, scores):
    fpr, tpr, thresholds = roc_curve(truth, scores)
    return thresholds[(tpr - fpr).argmax()]


def row_of(rows, label, over, threshold):
    (row,) = [r for r in rows if (r["label"], r["over"], r["threshold"]) == (label, over, threshold)]
    return row


def test_any_abnormality_and_every_class_have_three_rows(lesions):
    rows = classwise_report(*lesions, VOLUMES)
    assert [r["label"] for r in rows] == [None] * 3 + [1] * 3 + [2] * 3
    assert [(r["over"], r["threshold"]) for r in rows[:3]] == [
        ("volumes", "volume"),
        ("volumes", "pooled"),
        ("pixels", "pooled"),
    ]
    assert all(r.keys() == rows[0].keys() and r["n_volumes"] == 3 for r in rows)


@pytest.mark.parametrize("choice", ["volume", "pooled"])
def test_rows_over_volumes_are_scikit_learns_mean_and_sd(choice, lesions):
    y_true, anomaly = lesions
    row = row_of(classwise_report(y_true, anomaly, VOLUMES), 2, "volumes", choice)
    volumes = [class_pixels(y_true[v == VOLUMES], anomaly[v == VOLUMES], 2) for v in "abc"]
    pooled = youden_threshold(*class_pixels(y_true, anomaly, 2))
    rates = [sklearn_rates(*v, youden_threshold(*v) if choice == "volume" else pooled) for v in volumes]
    rates = [r | {"roc_auc": roc_auc_score(*v)} for r, v in zip(rates, volumes, strict=True)]
    for name in rates[0]:
        values = [r[name] for r in rates]
        assert (row[name], row[f"{name}_sd"]) == (
            pytest.approx(np.mean(values)),
            pytest.approx(np.std(values)),
        )


def test_row_over_pixels_pools_all_volumes(lesions):
    truth, scores = class_pixels(*lesions, 1)
    row = row_of(classwise_report(*lesions, VOLUMES), 1, "pixels", "pooled")
    expected = sklearn_rates(truth, scores, youden_threshold(truth, scores))
    assert {name: row[name] for name in expected} == pytest.approx(expected)
    assert row["roc_auc"] == pytest.approx(roc_auc_score(truth, scores)) and np.isnan(row["roc_auc_sd"])


def test_volumes_without_the_class_are_not_in_its_mean(lesions):
    y_true, anomaly = lesions
    y_true = np.where((VOLUMES == "b")[:, None, None] & (y_true == 2), 0, y_true)
    row = row_of(classwise_report(y_true, anomaly, VOLUMES, labels=[2]), 2, "volumes", "volume")
    aucs = [roc_auc_score(*class_pixels(y_true[v == VOLUMES], anomaly[v == VOLUMES], 2)) for v in "ac"]
    assert row["n_volumes"] == 2 and row["roc_auc"] == pytest.approx(np.mean(aucs))


def test_a_thousand_quantile_thresholds_are_close_to_exact():
    rng = np.random.default_rng(3)
    y_true = rng.integers(0, 2, size=(4, 50, 60))
    anomaly = np.exp(rng.normal(size=y_true.shape) + y_true)
    exact, coarse = (classwise_report(y_true, anomaly, [0, 0, 1, 1], n_thresholds=n) for n in (None, 1000))
    for a, b in zip(exact, coarse, strict=True):
        assert b["roc_auc"] == pytest.approx(a["roc_auc"], abs=1e-3) and b["roc_auc"] != a["roc_auc"]
        youden = [r["sensitivity"] + r["specificity"] for r in (a, b)]
        assert youden[1] == pytest.approx(youden[0], abs=1e-2)


def test_rates_at_a_threshold_equal_scikit_learn(lesions):
    expected = sklearn_rates(*class_pixels(*lesions, 1), 0.7)
    assert foreground_rates(*lesions, threshold=0.7, label=1) == pytest.approx(expected)


def test_precision_is_zero_where_nothing_is_called_abnormal(lesions):
    rates = foreground_rates(*lesions, threshold=1e9)
    assert rates == {"sensitivity": 0, "specificity": 1, "precision": 0, "f1": 0}


def test_a_class_that_nobody_has_is_an_error(lesions):
    with pytest.raises(UndefinedScoreError, match="label=8"):
        classwise_report(*lesions, VOLUMES, labels=[1, 8])


def test_report_needs_the_volumes(lesions):
    with pytest.raises(ValueError, match=r"shape \(5,\).*got \(2,\)"):
        classwise_report(*lesions, ["a", "b"])
