import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skad.metrics import UndefinedScoreError, foreground_roc_auc_score, per_group

PATIENTS = np.array(["b", "a", "b", "c", "a"])


def test_each_patient_scores_as_if_alone(lesions):
    y_true, anomaly = lesions
    scores = per_group(foreground_roc_auc_score, y_true, anomaly, PATIENTS)
    for patient, value in zip(scores["groups"], scores["values"], strict=True):
        y, a = y_true[patient == PATIENTS].ravel() > 0, anomaly[patient == PATIENTS].ravel()
        assert value == pytest.approx(roc_auc_score(y[~np.isnan(a)], a[~np.isnan(a)]))
    assert scores["mean"] == pytest.approx(scores["values"].mean())
    assert scores["sd"] == pytest.approx(scores["values"].std())


def test_patient_without_lesion_is_nan_and_named_and_not_in_the_mean(lesions):
    y_true, anomaly = lesions
    healthy = np.where((PATIENTS == "a")[:, None, None], 0, y_true)
    scores = per_group(foreground_roc_auc_score, healthy, anomaly, PATIENTS)
    others = per_group(foreground_roc_auc_score, *(v[PATIENTS != "a"] for v in (y_true, anomaly, PATIENTS)))
    assert np.isnan(scores["values"][0]) and scores["left_out"] == ["a"] and scores["n_scored"] == 2
    assert (scores["mean"], scores["sd"]) == (others["mean"], others["sd"])


def test_label_is_passed_on(lesions):
    y_true, anomaly = lesions
    y_true = np.where((PATIENTS == "c")[:, None, None] & (y_true == 2), 0, y_true)
    assert per_group(foreground_roc_auc_score, y_true, anomaly, PATIENTS, label=2)["left_out"] == ["c"]


def test_nobody_to_score_is_an_error(lesions):
    with pytest.raises(UndefinedScoreError, match=r"foreground_roc_auc_score.*got 3 .*\(label=9\)"):
        per_group(foreground_roc_auc_score, *lesions, PATIENTS, label=9)


def test_bad_scores_are_an_error_and_not_a_patient_left_out(lesions):
    lesions[1][0, 3, 3] = np.inf
    with pytest.raises(ValueError, match="infinite"):
        per_group(foreground_roc_auc_score, *lesions, PATIENTS)


@pytest.mark.parametrize(("groups", "message"), [(None, "got None"), (PATIENTS[:4], r"\(5,\).*got \(4,\)")])
def test_groups_name_one_patient_per_slice(groups, message, lesions):
    with pytest.raises(ValueError, match=message):
        per_group(foreground_roc_auc_score, *lesions, groups)


def test_maps_of_another_length_are_an_error(lesions):
    with pytest.raises(ValueError, match="5 slices as y_true does, got 4"):
        per_group(foreground_roc_auc_score, lesions[0], lesions[1][:4], PATIENTS)
