"""Exact scores of an anomaly map against pixel labels, over foreground pixels only."""

from skad.metrics.foreground import check_map, split_foreground
from skad.metrics.operating_points import points_at_positives, points_at_scores
from skad.utils.typing import Array, FloatArray


def foreground_roc_auc_score(y_true: Array, anomaly: Array, *, label: int | None = None) -> float:
    """Exact area under the ROC curve of the foreground pixels (A, section 2.6; K, section III-C).

    Equal to :func:`sklearn.metrics.roc_auc_score` on the same pixels, ties included.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal (``-estimator.score_samples(X)``), NaN in the background. Labels of
        background pixels are not read.
    label : int or None, default=None
        Score class `label` against normal and leave the pixels of the other classes out; None takes every
        class as abnormal.

    Returns
    -------
    float
        1 where every abnormal pixel scores higher than every normal one, 0.5 for chance.

    Raises
    ------
    ValueError
        If the shapes differ, labels are not integers >= 0, the map holds infinities, or the foreground lacks
        normal or abnormal pixels or class `label` (then it is `UndefinedScoreError`).

    See Also
    --------
    skad.metrics.foreground_average_precision_score : Depends on the share of abnormal pixels.
    skad.metrics.foreground_roc_curve : The curve.
    skad.metrics.ScoreHistogram : For cohorts larger than memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_roc_auc_score
    >>> y_true = np.array([[[0, 0, 1], [0, 2, 0]]])
    >>> anomaly = np.array([[[0.1, 0.4, 0.3], [0.2, 0.9, np.nan]]])
    >>> round(foreground_roc_auc_score(y_true, anomaly), 3)
    0.833
    >>> foreground_roc_auc_score(y_true, anomaly, label=2)
    1.0
    """
    return foreground_points(y_true, anomaly, label=label).roc_auc()


def foreground_average_precision_score(y_true: Array, anomaly: Array, *, label: int | None = None) -> float:
    """Exact average precision of the foreground pixels.

    Equal to :func:`sklearn.metrics.average_precision_score` on the same pixels, ties included. A random score
    reaches the share of abnormal pixels.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal; NaN in the background, where labels are ignored.
    label : int or None, default=None
        Score class `label` against normal pixels and leave other classes out; None takes every class as
        abnormal.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`.

    See Also
    --------
    skad.metrics.foreground_roc_auc_score : Area under the ROC curve.
    skad.metrics.ScoreHistogram : For cohorts larger than memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_average_precision_score
    >>> foreground_average_precision_score(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.8333333333333333
    """
    return foreground_points(y_true, anomaly, label=label).average_precision()


def foreground_best_dice_score(y_true: Array, anomaly: Array, *, label: int | None = None) -> float:
    """Best Dice (= best F1) of ``anomaly >= threshold`` over all thresholds, foreground pixels only.

    It is the Dice of the best segmentation that a threshold can make of the map; the threshold is
    :func:`foreground_best_dice_threshold`.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal; NaN in the background, where labels are ignored.
    label : int or None, default=None
        Score class `label` against normal pixels and leave other classes out; None takes every class as
        abnormal.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`.

    See Also
    --------
    skad.metrics.foreground_best_dice_threshold : The threshold.
    skad.metrics.foreground_rates : Rates at a given threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_best_dice_score
    >>> foreground_best_dice_score(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.8
    """
    return float(foreground_points(y_true, anomaly, label=label).dice().max())


def foreground_best_dice_threshold(y_true: Array, anomaly: Array, *, label: int | None = None) -> float:
    """Threshold with the best Dice (F1), chosen on validation data and applied to test data (A, section 2.6).

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal; NaN in the background, where labels are ignored.
    label : int or None, default=None
        Score class `label` against normal pixels and leave other classes out; None takes every class as
        abnormal.

    Returns
    -------
    float
        The score of an abnormal pixel; pixels with ``anomaly >= threshold`` count as abnormal. If several are
        best, the highest.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`.

    See Also
    --------
    skad.metrics.foreground_best_dice_score : The Dice at this threshold.
    skad.metrics.foreground_rates : Rates at this threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_best_dice_threshold
    >>> foreground_best_dice_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.35
    """
    points = foreground_points(y_true, anomaly, label=label)
    return float(points.thresholds[points.dice().argmax()])


def foreground_roc_curve(
    y_true: Array, anomaly: Array, *, label: int | None = None, n_thresholds: int | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ROC curve of the foreground pixels.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        Anomaly map, high where abnormal; NaN in the background, where labels are ignored.
    label : int or None, default=None
        Score class `label` against normal pixels and leave other classes out; None takes every class as
        abnormal.
    n_thresholds : int or None, default=None
        Number of thresholds (K takes 1,000), at quantiles of the scores (we: evenly spaced ones are wrong by
        0.1 AUC on heavy-tailed scores); None gives one point per distinct score, as
        ``sklearn.metrics.roc_curve(..., drop_intermediate=False)``.

    Returns
    -------
    fpr, tpr, thresholds : ndarray of shape (n_points,)
        False and true positive rates of ``anomaly >= threshold``. Thresholds descend from infinity, where
        both rates are 0, to the lowest score, where both are 1.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`, and if `n_thresholds` is less than 2.

    See Also
    --------
    skad.metrics.foreground_roc_auc_score : Area under the curve.
    skad.plotting.plot_roc : Draws the curve.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_roc_curve
    >>> fpr, tpr, thresholds = foreground_roc_curve(np.array([0, 0, 1]), np.array([1.0, 2.0, 2.0]))
    >>> fpr, tpr, thresholds
    (array([0. , 0.5, 1. ]), array([0., 1., 1.]), array([inf,  2.,  1.]))
    """
    positives, negatives = split_foreground(*check_map(y_true, anomaly), label=label)
    return points_at_scores(positives, negatives, n_thresholds=n_thresholds).roc_curve()


def foreground_points(y_true, anomaly, *, label=None):
    """Operating points of an anomaly map at the distinct scores of its abnormal foreground pixels."""
    return points_at_positives(*split_foreground(*check_map(y_true, anomaly), label=label))
