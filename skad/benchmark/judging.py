"""What is measured of a fitted method, written as the rows of its run."""

import numpy as np

from skad.benchmark.calibration import calibration_tables, scores_of_patients
from skad.benchmark.planted import mixed_score, planted_rows
from skad.benchmark.results import fold_rows, write_rows
from skad.evaluation import ScoreProbability, evaluate_slices
from skad.evaluation.scan import ANY, ranking_scores
from skad.metrics import (
    ScoreHistogram,
    UndefinedScoreError,
    classwise_report,
    foreground_best_dice_threshold,
    mean_roc_curve,
)

N_THRESHOLDS = 1000  # of class-wise rates (K)
ROC_GRID = np.linspace(0, 1, 101).round(2).tolist()  # false positive rates of the curves that are kept
_RATES = ("roc_auc", "sensitivity", "specificity", "precision", "f1")
PICTURES = "pictures.npz"


def judge(judging, estimator, reference, slices, maps_of, folder):
    """Evaluate the maps of all folds, and write a CSV file per table.

    Parameters
    ----------
    judging : Judging
    estimator : estimator
        Fitted.
    reference : reconstructor or None
        Fitted.
    slices : CohortSlices
    maps_of : callable
        Name of a fold to its anomaly maps.
    folder : pathlib.Path
    """
    tables, calibrating, chosen = {}, {}, {"threshold": float("nan"), "probability": None}
    for fold in slices.scored:  # the validation fold comes first
        anomaly, y, scans = maps_of(fold), np.asarray(slices.y(fold)), slices.scans(fold)
        if fold == "validation":
            chosen = _chosen(y, anomaly)
        found = evaluate_slices(y, anomaly, **scans, **chosen, size_step=judging.lesion_size_step)
        rows = fold_rows(fold, found)
        if judging.classwise:
            rows |= _classwise(fold, y, anomaly, slices.volumes(fold))
        for name, each in rows.items():
            tables.setdefault(name, []).extend(each)
        if judging.calibration is not None and fold != "validation":
            calibrating[fold] = scores_of_patients(y, anomaly, slices.patients(fold))
        if judging.pictures and fold == "test":
            _keep_pictures(folder / PICTURES, y, anomaly, judging.pictures)
    if judging.calibration is not None and "test" in calibrating:
        tables |= calibration_tables(judging.calibration, calibrating)
    if judging.planted is not None:
        tables["planted"] = planted_rows(judging.planted, estimator, reference, slices)
    for name, rows in tables.items():
        write_rows(rows, folder / f"{name}.csv")


def try_out(judging, estimator, reference, slices, maps_of):
    """The score that decides between configurations; sees the validation fold, or no label at all."""
    if judging.tuned_on == "planted":
        return mixed_score(estimator, reference, slices)
    if "validation" not in slices.scored:
        raise ValueError("There is no validation fold to tune on: name one, or tune on planted lesions.")
    return ranking_scores(np.asarray(slices.y("validation")), maps_of("validation"))[judging.tuned_on]


def _chosen(y, anomaly):
    """What the validation fold is for: the threshold with the best Dice, and scores as probabilities."""
    try:
        threshold = foreground_best_dice_threshold(y, anomaly)
        probability = ScoreProbability().fit(ScoreHistogram().update(y, anomaly))
    except UndefinedScoreError:
        return {"threshold": float("nan"), "probability": None}
    return {"threshold": threshold, "probability": probability}


def _classwise(fold, y, anomaly, volumes):
    """Table I and Fig. 6 of K: "classwise", rates at Youden's J; "roc", mean curve of the volumes."""
    try:
        rates = classwise_report(y, anomaly, volumes, n_thresholds=N_THRESHOLDS)
    except UndefinedScoreError:
        return {}
    rates = [row for row in rates if (row["over"], row["threshold"]) == ("volumes", "pooled")]
    curves = []
    for row in rates:
        fpr, tpr, *_ = mean_roc_curve(y, anomaly, volumes, label=row["label"], n_thresholds=N_THRESHOLDS)
        name = {"fold": fold, "label": row["label"] or ANY}
        curves += [name | {"fpr": f, "tpr": float(np.interp(f, fpr, tpr))} for f in ROC_GRID]
    kept = ("n_volumes", *(key for key in rates[0] if key.removesuffix("_sd") in _RATES))
    rows = [{"fold": fold, "label": row["label"] or ANY} | {key: row[key] for key in kept} for row in rates]
    return {"classwise": rows, "roc": curves}


def _keep_pictures(path, y, anomaly, n_pictures):
    """The slices with the largest lesions, of as many places of the fold as there are pictures."""
    sizes = ((y > 0) & ~np.isnan(anomaly)).sum(axis=(1, 2))
    parts = np.array_split(np.arange(len(y)), min(n_pictures, len(y)))
    rows = np.array([part[sizes[part].argmax()] for part in parts])
    np.savez_compressed(path, rows=rows, anomaly=anomaly[rows].astype(np.float32))
