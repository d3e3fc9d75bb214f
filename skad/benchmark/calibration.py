"""False-positive rates that a calibrated threshold realizes on patients it was not calibrated on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skad.calibration.conformal import (
    largest_score,
    minimum_patients,
    p_value_curve,
    score_tail,
    threshold_at,
)
from skad.calibration.drift import drift_p_value, summarize
from skad.utils.typing import Array, FloatArray

SAMPLES = {"pixel": score_tail, "patient": largest_score}
LEVEL = 0.05  # of the test of drift
_BAND = (0.025, 0.975)


@dataclass(frozen=True)
class PatientScores:
    """Sorted anomaly scores of the foreground of one patient.

    Attributes
    ----------
    normal : ndarray
        Of the slices without a lesion.
    all, lesion : ndarray
        Of all slices, and of the pixels in lesions.
    """

    normal: FloatArray
    all: FloatArray
    lesion: FloatArray


def scores_of_patients(y: Array, anomaly: Array, groups: Array) -> dict[str, PatientScores]:
    """Scores of the patients that have a slice without a lesion.

    Parameters
    ----------
    y : int array of shape (n_slices, height, width)
    anomaly : array of the same shape
        NaN background.
    groups : array of shape (n_slices,)
        Patient of each slice.

    Returns
    -------
    dict of str to PatientScores
    """
    free, groups = ~(y > 0).any(axis=(1, 2)), np.asarray(groups)
    found = {}
    for patient in dict.fromkeys(groups[free].tolist()):
        of_patient = groups == patient
        everything, labels = anomaly[of_patient], y[of_patient]
        parts = (anomaly[of_patient & free], everything, everything[labels > 0])
        found[patient] = PatientScores(*(np.sort(part[~np.isnan(part)]) for part in parts))
    return found


def calibration_tables(
    settings: Mapping[str, Any], folds: Mapping[str, Mapping[str, PatientScores]]
) -> dict[str, list[dict[str, Any]]]:
    """What thresholds realize that are calibrated on some patients of the test fold, at random, many times.

    Parameters
    ----------
    settings : dict
        "rates", targets; "patients", how many calibrate; "splits", how many times they are drawn; "new", how
        many new patients are tested for drift together.
    folds : dict of str to dict
        :func:`scores_of_patients` of "test", whose patients calibrate and whose other patients are judged,
        and of other cohorts, of which all patients are judged but those who calibrate.

    Returns
    -------
    dict of str to list of dict
        "calibration": "fold", "unit", "patients", "rate", "realized" (mean over the splits of the share of
        the normal slices' pixels above the threshold or, for "patient", of the patients with any), "low",
        "high" (where 95 % of the splits lie), "dice" (of masks of all slices, mean over the splits). NaN
        where there are too few patients for a rate, or none to judge. "drift": "fold", "patients", "new",
        "alarms" (share of splits in which drift is detected at `LEVEL`).
    """
    rates, drift = [], []
    for n_patients in settings["patients"]:
        splits = list(_splits(folds["test"], n_patients, settings["splits"]))
        curves = {unit: [_curve(unit, split) for split in splits] for unit in SAMPLES}
        for fold, scores in folds.items():
            named = {"fold": fold, "patients": n_patients}
            for unit in SAMPLES:
                rates += [
                    named | row for row in _rates(settings["rates"], unit, splits, curves[unit], scores)
                ]
            drift += [named | row for row in _alarms(settings["new"], splits, scores)]
    return {"calibration": rates, "drift": drift}


def check_calibration(settings: Mapping[str, Any], y: Array, groups: Array) -> None:
    """Raise where the test fold has too few patients to calibrate on some and judge the others.

    Parameters
    ----------
    settings : dict
        As of :func:`calibration_tables`.
    y : int array of shape (n_slices, height, width)
        Of the test fold.
    groups : array of shape (n_slices,)
        Patient of each slice.
    """
    wanted, there = max(settings["patients"]), len(set(groups[~(y > 0).any(axis=(1, 2))].tolist()))
    if wanted >= there:
        raise ValueError(
            f"patients of calibration should be fewer than the {there} patients of the test fold that have "
            f"a slice without a lesion, got {wanted}."
        )


def _splits(scores, n_patients, n_splits):
    """Random choices of patients, each with their scores."""
    rng = np.random.default_rng(0)
    for _ in range(n_splits):
        chosen = rng.permutation(list(scores))[:n_patients].tolist()
        yield {patient: scores[patient] for patient in chosen}


def _curve(unit, split):
    return p_value_curve([SAMPLES[unit](each.normal) for each in split.values()])


def _rates(rates, unit, splits, curves, scores):
    others = [[each for patient, each in scores.items() if patient not in split] for split in splits]
    for rate in rates:
        row = {"unit": unit, "rate": rate} | dict.fromkeys(("realized", "low", "high", "dice"), np.nan)
        if len(splits[0]) >= minimum_patients(rate) and any(others):
            thresholds = [threshold_at(rate, *curve) for curve in curves]
            pairs = [(judged, t) for judged, t in zip(others, thresholds, strict=True) if judged]
            realized = [_realized(judged, threshold, unit) for judged, threshold in pairs]
            low, high = np.quantile(realized, _BAND)
            dice = np.mean([_dice(judged, threshold) for judged, threshold in pairs])
            row |= {"realized": np.mean(realized), "low": low, "high": high, "dice": dice}
        yield {key: float(value) if key != "unit" else value for key, value in row.items()}


def _realized(judged: Sequence[PatientScores], threshold: float, unit: str) -> float:
    shares = np.array([_count(each.normal, threshold) / len(each.normal) for each in judged])
    return float(np.mean(shares > 0 if unit == "patient" else shares))


def _dice(judged: Sequence[PatientScores], threshold: float) -> float:
    """Of the pixels of all patients together; NaN where there is no lesion."""
    n_lesion = sum(len(each.lesion) for each in judged)
    hits, called = (
        sum(_count(getattr(each, part), threshold) for each in judged) for part in ("lesion", "all")
    )
    return 2 * hits / (n_lesion + called) if n_lesion else np.nan


def _count(scores, threshold):
    """How many sorted scores are above a threshold."""
    return len(scores) - np.searchsorted(scores, threshold, side="right")


def _alarms(sizes, splits, scores):
    """Share of the splits in which new patients of a fold differ from those who calibrate."""
    summaries = {patient: summarize(each.normal) for patient, each in scores.items()}
    for n_new in sizes:
        alarms = []
        for seed, split in enumerate(splits):
            others = [patient for patient in scores if patient not in split]
            if not others:
                continue
            drawn = np.random.default_rng(seed).permutation(others)[:n_new]
            calibration = np.array([summarize(each.normal) for each in split.values()])
            new = np.array([summaries[patient] for patient in drawn.tolist()])
            alarms.append(drift_p_value(calibration, new, random_state=seed) <= LEVEL)
        yield {"new": n_new, "alarms": float(np.mean(alarms)) if alarms else np.nan}
