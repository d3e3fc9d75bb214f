"""Realized false-positive rates: what another implementation gives for the patients that are left out."""

import numpy as np
import pytest

from skad.benchmark.calibration import calibration_tables, check_calibration, scores_of_patients
from skad.calibration import ConformalCalibrator
from skad.scoring import IntensityScorer

PATIENTS = [f"p{i}" for i in range(9)]


@pytest.fixture
def cohort():
    """Labels, maps and patients of nine patients with three slices, the last of each with a lesion."""
    rng = np.random.default_rng(0)
    anomaly = rng.normal(size=(27, 5, 7)) + np.repeat(rng.normal(size=9), 3)[:, None, None]
    anomaly[:, 0, :2] = np.nan
    y = np.zeros((27, 5, 7), dtype=int)
    y[2::3, 2:4, 3:5] = 1
    anomaly[y > 0] += 2
    return y, anomaly, np.repeat(PATIENTS, 3)


def settings(**changed):
    return {"rates": [0.2], "patients": [8], "splits": 1, "new": [], **changed}


def left_out(cohort, patient, unit):
    """Realized rate and Dice of one patient by the calibrator of the eight others."""
    y, anomaly, groups = cohort
    X, inside, normal = anomaly[:, None], groups == patient, ~y.any(axis=(1, 2))
    detector = IntensityScorer(smoothing=0).fit(X)
    calibrator = ConformalCalibrator(detector, fpr=0.2, unit=unit)
    calibrator.fit(X[normal & ~inside], groups=groups[normal & ~inside])
    called, lesion = calibrator.predict(X[inside]) == -1, y[inside] > 0
    free = normal[inside]
    share = called[free].sum() / (~np.isnan(anomaly[inside][free])).sum()
    dice = 2 * (called & lesion).sum() / (called.sum() + lesion.sum())
    return (share if unit == "pixel" else float(share > 0)), dice


@pytest.mark.parametrize("unit", ["pixel", "patient"])
def test_rate_and_dice_are_those_of_the_calibrator(cohort, unit):
    tables = calibration_tables(settings(), {"test": scores_of_patients(*cohort)})
    (row,) = [row for row in tables["calibration"] if row["unit"] == unit]
    expected = [left_out(cohort, patient, unit) for patient in PATIENTS]
    assert (row["fold"], row["patients"], row["rate"]) == ("test", 8, 0.2)
    assert any(np.allclose((row["realized"], row["dice"]), each) for each in expected)


def test_patients_who_calibrate_are_not_judged_in_another_cohort(cohort):
    scores = scores_of_patients(*cohort)
    rows = calibration_tables(settings(), {"test": scores, "again": scores})["calibration"]
    assert [row | {"fold": ""} for row in rows[:2]] == [row | {"fold": ""} for row in rows[2:]]


def test_a_rate_that_needs_more_patients_has_no_number(cohort):
    tables = calibration_tables(settings(rates=[0.01]), {"test": scores_of_patients(*cohort)})
    assert all(np.isnan(row["realized"]) and np.isnan(row["dice"]) for row in tables["calibration"])


def test_a_cohort_of_which_nobody_is_left_has_no_number(cohort):
    scores = scores_of_patients(*cohort)
    for left in ({}, {"p0": scores["p0"]}):  # p0 calibrates in some splits and is judged in others
        folds = {"test": scores, "other": left}
        tables = calibration_tables(settings(new=[1], splits=20), folds)
        found = [r["realized"] for r in tables["calibration"] if r["fold"] == "other"]
        found += [r["alarms"] for r in tables["drift"] if r["fold"] == "other"]
        assert np.isnan(found).all() == (not left)


def test_the_mean_rate_keeps_its_target_where_patients_are_exchangeable(cohort):
    rng = np.random.default_rng(1)
    anomaly = rng.normal(size=(400, 4, 5)) + rng.normal(size=(400, 1, 1))
    scores = scores_of_patients(np.zeros(anomaly.shape, int), anomaly, np.arange(400))
    rows = calibration_tables(settings(patients=[39], splits=20), {"test": scores})["calibration"]
    assert [row["unit"] for row in rows] == ["pixel", "patient"]
    assert all(0.1 < row["realized"] < 0.22 and row["low"] <= row["realized"] <= row["high"] for row in rows)


def test_drift_is_detected_in_shifted_scores_only(cohort):
    rng = np.random.default_rng(2)
    y, anomaly, groups = np.zeros((60, 4, 5), int), rng.normal(size=(60, 4, 5)), np.arange(60)
    folds = {
        "test": scores_of_patients(y, anomaly, groups),
        "shifted": scores_of_patients(y, anomaly + 3, groups + 100),
    }
    rows = calibration_tables(settings(patients=[39], splits=20, new=[1, 5]), folds)["drift"]
    alarms = {(row["fold"], row["new"]): row["alarms"] for row in rows}
    assert alarms["shifted", 1] == alarms["shifted", 5] == 1.0
    assert alarms["test", 1] <= 0.25 and alarms["test", 5] <= 0.25


def test_too_few_patients_are_told_before_anything_is_trained(cohort):
    y, _, groups = cohort
    check_calibration(settings(), y, groups)
    with pytest.raises(ValueError, match=r"fewer than the 9 patients .* got 9"):
        check_calibration(settings(patients=[3, 9]), y, groups)
