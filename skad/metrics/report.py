"""Detection performance per abnormality class, over volumes and over all pixels (K, Table I)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from skad.metrics.foreground import UndefinedScoreError, check_map, split_foreground
from skad.metrics.groups import check_groups
from skad.metrics.operating_points import points_at_positives, points_at_scores
from skad.utils.typing import Array

RATES = ("sensitivity", "specificity", "precision", "f1")


def foreground_rates(
    y_true: Array, anomaly: Array, *, threshold: float, label: int | None = None
) -> dict[str, float]:
    """Sensitivity, specificity, precision and F1 of ``anomaly >= threshold`` over foreground pixels.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal; NaN in the background, where labels are ignored.
    threshold : float
        Pixels at or above it count as abnormal; for instance `foreground_best_dice_threshold` of validation
        data (A, section 2.6).
    label : int or None, default=None
        Score class `label` against normal pixels and leave other classes out; None takes every class as
        abnormal.

    Returns
    -------
    dict of float
        ``sensitivity`` (recall), ``specificity``, ``precision`` (0 where nothing is called abnormal) and
        ``f1`` (Dice).

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`.

    See Also
    --------
    skad.metrics.foreground_best_dice_threshold : Chooses the threshold.
    skad.metrics.classwise_report : Rates of every class.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_rates
    >>> foreground_rates(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]), threshold=0.4)
    {'sensitivity': 0.5, 'specificity': 0.5, 'precision': 0.5, 'f1': 0.5}
    """
    positives, negatives = split_foreground(*check_map(y_true, anomaly), label=label)
    return _rates(positives, negatives, threshold)


def classwise_report(
    y_true: Array,
    anomaly: Array,
    groups: Array,
    *,
    labels: Sequence[int | None] | None = None,
    n_thresholds: int | None = None,
) -> list[dict[str, Any]]:
    """ROC-AUC, sensitivity, specificity, precision and F1 of each abnormality class (K, Table I).

    A class is compared with normal pixels; pixels of the other classes are neither true nor false (K). K does
    not say at which threshold its rates are taken; we take Youden's J (largest sensitivity + specificity -
    1), chosen on every volume for itself, which flatters, and once on the pooled pixels, which is what a user
    can have.

    Parameters
    ----------
    y_true : array-like of int, shape (n_samples, height, width)
        0 normal, ``k >= 1`` abnormality class k.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.
    groups : array-like of shape (n_samples,)
        Volume (patient) of each slice.
    labels : sequence of (int or None), default=None
        Classes to report; ``None`` in the sequence stands for any abnormality. By default any abnormality,
        then every class in the foreground.
    n_thresholds : int or None, default=None
        Work on this many thresholds (K: 1,000), at quantiles of the scores; None is exact.

    Returns
    -------
    list of dict
        Three rows per class, all with the same keys: ``label``; ``over``, "volumes" (mean and population
        standard deviation over the volumes that hold the class) or "pixels" (all pixels pooled, standard
        deviations NaN); ``threshold``, "volume" or "pooled" (where it was chosen); ``n_volumes``, the volumes
        that hold the class; and ``roc_auc``, ``sensitivity``, ``specificity``, ``precision``, ``f1``, each
        with its ``..._sd``.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`, and if `groups` does not name one volume per slice.

    See Also
    --------
    skad.metrics.mean_roc_curve : The ROC curve of a class.
    skad.metrics.foreground_rates : Rates at one threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import classwise_report
    >>> y_true = np.array([[[0, 0, 1]], [[0, 0, 1]]])
    >>> anomaly = np.array([[[0.0, 0.1, 0.9]], [[0.0, 0.3, 0.2]]])
    >>> for row in classwise_report(y_true, anomaly, ["a", "b"], labels=[1]):
    ...     print(row["over"], row["threshold"], row["n_volumes"], row["roc_auc"], row["precision"])
    volumes volume 2 0.75 0.75
    volumes pooled 2 0.75 0.75
    pixels pooled 2 0.875 0.6666666666666666
    """
    y_true, anomaly = check_map(y_true, anomaly)
    groups = check_groups(groups, len(y_true))
    if labels is None:
        labels = [None, *np.unique(y_true[(y_true > 0) & ~np.isnan(anomaly)]).tolist()]
    volumes = [(y_true[groups == g], anomaly[groups == g]) for g in np.unique(groups)]
    return [
        row for k in labels for row in _class_rows(k, _split_all(volumes, k), (y_true, anomaly), n_thresholds)
    ]


def _class_rows(label, volumes, everything, n_thresholds):
    """Three rows of one class; `volumes` holds the (positives, negatives) of the volumes with the class."""
    pooled = split_foreground(*everything, label=label)
    at_pooled = _youden_threshold(*pooled, n_thresholds)
    own = [_scores(*v, _youden_threshold(*v, n_thresholds), n_thresholds) for v in volumes]
    common = [_scores(*v, at_pooled, n_thresholds) for v in volumes]
    rows = [("volumes", "volume", own), ("volumes", "pooled", common)]
    rows.append(("pixels", "pooled", [_scores(*pooled, at_pooled, n_thresholds)]))
    return [
        {"label": label, "over": over, "threshold": chosen, "n_volumes": len(volumes)}
        | _mean_and_sd(scores, over)
        for over, chosen, scores in rows
    ]


def _split_all(volumes, label):
    """Scores of each volume that holds normal pixels and the class."""
    split = []
    for y_true, anomaly in volumes:
        try:
            split.append(split_foreground(y_true, anomaly, label=label))
        except UndefinedScoreError:
            continue  # K's means run over the volumes that have the class
    return split


def _points(positives, negatives, n_thresholds):
    if n_thresholds is None:
        return points_at_positives(positives, negatives)
    return points_at_scores(positives, negatives, n_thresholds=n_thresholds)


def _youden_threshold(positives, negatives, n_thresholds):
    points = _points(positives, negatives, n_thresholds)
    return points.thresholds[points.youden().argmax()]


def _scores(positives, negatives, threshold, n_thresholds):
    roc_auc = _points(positives, negatives, n_thresholds).roc_auc()
    return {"roc_auc": roc_auc} | _rates(positives, negatives, threshold)


def _rates(positives, negatives, threshold):
    true, false = (int(np.count_nonzero(scores >= threshold)) for scores in (positives, negatives))
    return {
        "sensitivity": true / positives.size,
        "specificity": 1 - false / negatives.size,
        "precision": true / max(true + false, 1),
        "f1": 2 * true / (true + false + positives.size),
    }


def _mean_and_sd(scores, over):
    row = {}
    for name in ("roc_auc", *RATES):
        values = np.array([s[name] for s in scores])
        row[name] = float(values.mean()) if values.size else np.nan
        row[f"{name}_sd"] = float(values.std()) if values.size and over == "volumes" else np.nan
    return row
