"""What a run leaves behind: rows in CSV files, of which all tables and figures are made."""

import csv

import numpy as np

from skad.metrics import (
    UndefinedScoreError,
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_best_dice_threshold,
    foreground_rates,
    foreground_roc_auc_score,
    lesion_froc,
    lesion_size_report,
)
from skad.utils.files import written_whole

TABLES = ("patients", "pooled", "lesion_sizes", "froc", "curves", "runs")
"""What two studies with the same seeds share to the last digit."""
COSTS = "costs"
RUN = ("cohort", "method", "seed")
METRICS = ("roc_auc", "average_precision", "best_dice", "precision", "recall", "specificity", "f1")
_FREE = {
    "roc_auc": foreground_roc_auc_score,
    "average_precision": foreground_average_precision_score,
    "best_dice": foreground_best_dice_score,
}


def chosen_threshold(y, anomaly):
    """The threshold with the best Dice; NaN where there is nothing to choose it on."""
    return _or_nan(foreground_best_dice_threshold, y, anomaly)


def score_fold(fold, y, anomaly, *, patients, volumes, threshold, step):
    """All rows of one fold's maps.

    Parameters
    ----------
    fold : str
    y, anomaly : array of shape (n_slices, height, width)
        Labels; map, high is abnormal, NaN background.
    patients, volumes : array of shape (n_slices,)
    threshold : float
        At which precision, recall, specificity and F1 are taken.
    step : int
        Width of a range of lesion sizes, pixels.

    Returns
    -------
    dict of str to list of dict
        "patients": a row per patient; "pooled": over all pixels, for any abnormality and every class;
        "lesion_sizes"; "froc".
    """
    classes = np.unique(y[~np.isnan(anomaly) & (y > 0)]).tolist()
    rows = {
        "patients": [
            {
                "patient": patient,
                **_row(y[patients == patient], anomaly[patients == patient], threshold, None),
            }
            for patient in dict.fromkeys(patients.tolist())
        ],
        "pooled": [
            {"label": label or "any", "threshold": threshold, **_row(y, anomaly, threshold, label)}
            for label in (None, *(classes if len(classes) > 1 else ()))
        ],
        "lesion_sizes": _or_empty(lesion_size_report, y, anomaly, step=step),
        "froc": _froc(y, anomaly, volumes),
    }
    return {name: [{"fold": fold, **row} for row in table] for name, table in rows.items()}


def curve_rows(histories):
    """Rows of the losses of every epoch, from ``{step: {loss: curve}}``."""
    return [
        {"step": step, "loss": name, "epoch": epoch, "value": value}
        for step, history in histories.items()
        for name, curve in history.items()
        for epoch, value in enumerate(curve, start=1)
    ]


def write_rows(rows, path):
    """Write dicts as CSV, complete or not at all; numbers keep all their digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path):
    """Dicts of a CSV; what looks like a number is one, and an empty cell is NaN."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)]


def read_results(folder):
    """All tables of a study's folder, by name."""
    return {name: read_rows(folder / f"{name}.csv") for name in (*TABLES, COSTS)}


def _row(y, anomaly, threshold, label):
    foreground = ~np.isnan(anomaly)
    abnormal = (y > 0) if label is None else (y == label)
    rates = dict.fromkeys(METRICS[3:], np.nan)
    if not np.isnan(threshold):
        try:
            rates = foreground_rates(y, anomaly, threshold=threshold, label=label)
            rates["recall"] = rates.pop("sensitivity")
        except UndefinedScoreError:
            pass
    free = {name: _or_nan(metric, y, anomaly, label=label) for name, metric in _FREE.items()}
    return {
        "n_abnormal": int(np.count_nonzero(foreground & abnormal)),
        "n_normal": int(np.count_nonzero(foreground & (y == 0))),
        **free,
        **{name: rates[name] for name in METRICS[3:]},
    }


def _froc(y, anomaly, volumes):
    points = _or_empty(lambda: list(zip(*lesion_froc(y, anomaly, volumes), strict=True)))
    names = ("false_positives", "sensitivity", "threshold")
    return [dict(zip(names, map(float, point), strict=True)) for point in points]


def _or_nan(metric, *arguments, **options):
    try:
        return metric(*arguments, **options)
    except UndefinedScoreError:
        return float("nan")


def _or_empty(function, *arguments, **options):
    try:
        return function(*arguments, **options)
    except UndefinedScoreError:
        return []


_TEXT = {"cohort", "method", "fold", "patient", "label", "step", "loss", "status"}


def _value(key, text):
    if key in _TEXT:
        return text
    if not text:
        return float("nan")
    return int(text) if text.removeprefix("-").isdigit() else float(text)
