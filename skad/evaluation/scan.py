"""The scores of one scan, or of the pooled pixels of many: one row for any abnormality and one per class."""

from dataclasses import dataclass

import numpy as np

from skad.metrics import (
    UndefinedScoreError,
    foreground_calibration_error,
    lesionwise_scores,
    panoptic_quality,
    surface_dice,
)
from skad.metrics.pixel import foreground_points

ANY = "any"
RANKING = ("roc_auc", "average_precision", "best_dice")
"""Columns that need no threshold."""
RATES = ("dice", "sensitivity", "specificity", "precision")
"""Columns of the voxels at or above the threshold."""
LESIONS = (
    "n_lesions",
    "n_found",
    "n_false_positives",
    "lesion_recall",
    "lesion_precision",
    "lesion_f1",
    "lesion_dice",
    "panoptic_quality",
    "surface_dice",
)
"""Columns of the connected components at or above the threshold; of single scans, for any abnormality."""


@dataclass(frozen=True)
class LesionRules:
    """What counts as a lesion and as found.

    Attributes
    ----------
    dilation : int
        Voxels, as in :func:`skad.metrics.lesionwise_scores`.
    min_size : int
        Voxels of the smallest lesion.
    tolerance : float
        Of the surface Dice, mm.
    """

    dilation: int = 3
    min_size: int = 1
    tolerance: float = 2.0


def classes_of(y, anomaly):
    """Abnormality classes in the foreground, sorted."""
    return np.unique(y[(y > 0) & ~np.isnan(anomaly)]).tolist()


def ranking_scores(y, anomaly, label=None):
    """Counts of pixels, and the columns of `RANKING`; NaN where a class is missing."""
    foreground = ~np.isnan(anomaly)
    abnormal = (y > 0) if label is None else (y == label)
    try:
        points = foreground_points(y, anomaly, label=label)
        scores = (points.roc_auc(), points.average_precision(), float(points.dice().max()))
    except UndefinedScoreError:
        scores = (float("nan"),) * 3
    return {
        "n_abnormal": int(np.count_nonzero(foreground & abnormal)),
        "n_normal": int(np.count_nonzero(foreground & (y == 0))),
        **dict(zip(RANKING, scores, strict=True)),
    }


def rates_at(y, anomaly, threshold, label=None):
    """The columns of `RATES`; NaN where the pixels do not define them, or the threshold is NaN."""
    with np.errstate(invalid="ignore"):
        predicted = anomaly >= threshold
    foreground = ~np.isnan(anomaly)
    abnormal = foreground & ((y > 0) if label is None else (y == label))
    normal = foreground & (y == 0)
    counted = (abnormal & predicted, normal & predicted, abnormal, normal)
    return rates_of_counts(*map(int, map(np.count_nonzero, counted)), defined=not np.isnan(threshold))


def rates_of_counts(true, false, n_abnormal, n_normal, *, defined=True):
    """The columns of `RATES` from numbers of pixels: true and false positives, abnormal, normal."""
    sick, sound = defined and n_abnormal > 0, defined and n_normal > 0
    nan = float("nan")
    return {
        "dice": 2 * true / (true + false + n_abnormal) if sick and sound else nan,
        "sensitivity": true / n_abnormal if sick else nan,
        "specificity": 1 - false / n_normal if sound else nan,
        "precision": true / max(true + false, 1) if sick and sound else nan,
    }


def lesion_scores(y, anomaly, threshold, voxel_size, rules):
    """The columns of `LESIONS` of one scan, (n_slices, height, width), for any abnormality."""
    if np.isnan(threshold):
        return dict.fromkeys(LESIONS, float("nan"))
    truth = (y > 0) & ~np.isnan(anomaly)
    predicted = anomaly >= threshold
    scores = lesionwise_scores(truth, predicted, dilation=rules.dilation, min_size=rules.min_size)
    scores |= panoptic_quality(truth, predicted)
    scores["surface_dice"] = surface_dice(truth, predicted, voxel_size=voxel_size, tolerance=rules.tolerance)
    return {name: scores[name] for name in LESIONS}


def scan_rows(y, anomaly, *, threshold=None, probability=None, voxel_size=(1.0, 1.0, 1.0), rules=None):
    """All rows of one scan.

    Parameters
    ----------
    y, anomaly : array of shape (n_slices, height, width)
        Labels; map, high where abnormal, NaN background.
    threshold : float, default=None
        None leaves out the columns that need one.
    probability : callable, default=None
        Scores to probabilities of being abnormal; None leaves out ``calibration_error``.
    voxel_size : tuple of 3 float
        Distance of slices, rows and columns, mm.
    rules : LesionRules, default=None

    Returns
    -------
    list of dict
        For any abnormality, and for every class in the foreground.
    """
    rows = []
    for label in (None, *classes_of(y, anomaly)):
        row = {"label": ANY if label is None else label, **ranking_scores(y, anomaly, label)}
        if threshold is not None:
            row |= rates_at(y, anomaly, threshold, label)
            if label is None:
                row |= lesion_scores(y, anomaly, threshold, voxel_size, rules or LesionRules())
        if probability is not None:
            row["calibration_error"] = foreground_calibration_error(y, probability(anomaly), label=label)
        rows.append(row)
    return rows
