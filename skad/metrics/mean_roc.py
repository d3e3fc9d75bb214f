"""ROC curves averaged over volumes, as K draws them (Fig. 6)."""

import numpy as np

from skad.metrics.foreground import UndefinedScoreError, check_map
from skad.metrics.groups import check_groups
from skad.metrics.pixel import foreground_roc_auc_score, foreground_roc_curve
from skad.utils.typing import Array, FloatArray


def mean_roc_curve(
    y_true: Array, anomaly: Array, groups: Array, *, label: int | None = None, n_thresholds: int | None = 1000
) -> tuple[FloatArray, FloatArray, float, float]:
    """ROC curve of one abnormality class, averaged over volumes at each false positive rate.

    Parameters
    ----------
    y_true : array-like of int, shape (n_samples, height, width)
        0 normal, ``k >= 1`` abnormality class k.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.
    groups : array-like of shape (n_samples,)
        Volume (patient) of each slice.
    label : int or None, default=None
        Class against normal pixels, the other classes left out (K); None is any abnormality.
    n_thresholds : int or None, default=1000
        Per volume (K), at quantiles of its scores (we); None takes every distinct score.

    Returns
    -------
    fpr, tpr : ndarray of shape (1002,)
        From (0, 0) to (1, 1). We: false positive rates evenly spaced by 0.001.
    roc_auc, roc_auc_sd : float
        Mean and population standard deviation over the volumes of the exact area: that of Table I.

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`, and if `groups` does not name one volume per slice.
    UndefinedScoreError
        No volume holds both the class and normal pixels.

    See Also
    --------
    skad.metrics.foreground_roc_curve : The curve of pooled pixels.
    skad.plotting.plot_roc : Draws the curve.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import mean_roc_curve
    >>> y_true = np.array([[[0, 0, 1]], [[0, 0, 1]]])
    >>> anomaly = np.array([[[0.0, 0.1, 0.9]], [[0.0, 0.3, 0.2]]])
    >>> fpr, tpr, roc_auc, roc_auc_sd = mean_roc_curve(y_true, anomaly, ["a", "b"])
    >>> tpr[[0, 1, -1]], roc_auc, roc_auc_sd
    (array([0. , 0.5, 1. ]), 0.75, 0.25)
    """
    y_true, anomaly = check_map(y_true, anomaly)
    groups = check_groups(groups, len(y_true))
    grid = np.linspace(0, 1, 1001)
    curves, areas = [], []
    for group in np.unique(groups):
        volume = y_true[groups == group], anomaly[groups == group]
        try:
            areas.append(foreground_roc_auc_score(*volume, label=label))
        except UndefinedScoreError:
            continue  # K's means run over the volumes that have the class
        fpr, tpr, _ = foreground_roc_curve(*volume, label=label, n_thresholds=n_thresholds)
        curves.append(np.interp(grid, fpr, tpr))
    if not curves:
        foreground_roc_auc_score(y_true, anomaly, label=label)  # says which pixels there are none of
        raise UndefinedScoreError(
            f"groups should hold a volume with both normal pixels and label={label!r}, got none."
        )
    tpr = np.r_[0.0, np.mean(curves, axis=0)]
    return np.r_[0.0, grid], tpr, float(np.mean(areas)), float(np.std(areas))
