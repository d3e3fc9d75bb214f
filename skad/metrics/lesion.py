"""Scores that look at lesions: ROC-AUC by lesion size, and lesions found against false positives."""

from typing import Any

import numpy as np
from scipy import ndimage

from skad.metrics.foreground import UndefinedScoreError, check_label, check_map
from skad.metrics.groups import check_groups
from skad.metrics.pixel import foreground_roc_auc_score
from skad.utils.typing import Array, FloatArray


def lesion_size_report(
    y_true: Array, anomaly: Array, *, step: int = 200, label: int | None = None
) -> list[dict[str, Any]]:
    """ROC-AUC of single slices by the size of their lesion (A, section 3.1.3 and Fig. 7).

    The size of a slice is the number of its abnormal foreground pixels; its AUC compares them with the normal
    pixels of the same slice. Slices without a lesion, or without a normal pixel, are not counted.

    Parameters
    ----------
    y_true : array-like of int, shape (n_samples, height, width)
        0 normal, ``k >= 1`` abnormality class k.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.
    step : int, default=200
        Width of a size range in pixels (A: 200 at 128 x 128). Ranges go on until the largest lesion fits.
    label : int or None, default=None
        Class against normal, the other classes left out; None takes every class as abnormal.

    Returns
    -------
    list of dict
        One per range, smallest lesions first: ``smallest`` and ``largest`` size in pixels (both included),
        ``n_slices``, and mean ``roc_auc`` with its population standard deviation ``roc_auc_sd`` (NaN if the
        range is empty).

    Raises
    ------
    ValueError
        As in `foreground_roc_auc_score`, and if `step` is less than 1.

    See Also
    --------
    skad.plotting.plot_lesion_sizes : Draws the report.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import lesion_size_report
    >>> y_true = np.array([[[0, 0, 1]], [[0, 1, 1]]])
    >>> anomaly = np.array([[[0.1, 0.2, 0.3]], [[0.2, 0.3, 0.1]]])
    >>> for row in lesion_size_report(y_true, anomaly, step=1):
    ...     print(row)
    {'smallest': 1, 'largest': 1, 'n_slices': 1, 'roc_auc': 1.0, 'roc_auc_sd': 0.0}
    {'smallest': 2, 'largest': 2, 'n_slices': 1, 'roc_auc': 0.5, 'roc_auc_sd': 0.0}
    """
    y_true, anomaly = check_map(y_true, anomaly)
    if step < 1:
        raise ValueError(f"step should be at least 1 pixel, got {step}.")
    foreground = ~np.isnan(anomaly)
    abnormal = (y_true > 0 if label is None else y_true == check_label(label)) & foreground
    image = tuple(range(1, y_true.ndim))
    sizes = abnormal.sum(axis=image)
    scorable = np.flatnonzero((sizes > 0) & ((y_true == 0) & foreground).any(axis=image))
    if not scorable.size:
        raise UndefinedScoreError(
            "y_true should hold a slice with normal and abnormal foreground pixels"
            f"{'' if label is None else f' of label={label}'}, got none in {len(y_true)} slices."
        )
    scores = np.array([foreground_roc_auc_score(y_true[i], anomaly[i], label=label) for i in scorable])
    ranges = (sizes[scorable] - 1) // step
    return [_size_row(scores[ranges == i], i * step + 1, (i + 1) * step) for i in range(ranges.max() + 1)]


def _size_row(scores, smallest, largest):
    return {
        "smallest": int(smallest),
        "largest": int(largest),
        "n_slices": scores.size,
        "roc_auc": float(scores.mean()) if scores.size else np.nan,
        "roc_auc_sd": float(scores.std()) if scores.size else np.nan,
    }


def lesion_froc(
    y_true: Array,
    anomaly: Array,
    groups: Array,
    *,
    label: int | None = None,
    n_thresholds: int = 50,
    min_overlap: float = 0.1,
    min_size: int = 1,
    connectivity: int = 3,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Free-response ROC curve: sensitivity for lesions against false positives per volume.

    At each threshold the pixels with ``anomaly >= threshold`` of a volume fall into connected components, the
    detections. A detection is true if at least `min_overlap` of it lies in lesions (and one pixel does),
    otherwise it is a false positive; a lesion is found if a true detection touches it. We ask for the overlap
    because at low thresholds one detection covers the whole body: without it that would find every lesion at
    no price. For the same reason the curve may turn back at low thresholds; it is returned as it is.

    Parameters
    ----------
    y_true : array-like of int, shape (n_samples, height, width)
        0 normal, ``k >= 1`` abnormality class k. Connected abnormal pixels of a volume are one lesion.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.
    groups : array-like of shape (n_samples,)
        Volume of each slice; slices of a volume are neighbors in the order in which they come.
    label : int or None, default=None
        Look for lesions of this class; pixels of the other classes are left out, so that they count neither
        way.
    n_thresholds : int, default=50
        Thresholds, spaced evenly in the logarithm of the share of pixels that reach them, from one pixel to
        all.
    min_overlap : float in [0, 1], default=0.1
        Share of a true detection that lies in lesions.
    min_size : int, default=1
        Detections of fewer pixels are ignored.
    connectivity : {1, 2, 3}, default=3
        Neighbors of a pixel share a face (1), an edge (2) or a corner (3).

    Returns
    -------
    false_positives, sensitivity, thresholds : ndarray of shape (n_points,)
        Mean number of false positives per volume, share of all lesions found, and thresholds, descending.

    Raises
    ------
    ValueError
        If the input does not fit together, or there is no lesion in the foreground (`UndefinedScoreError`).

    See Also
    --------
    skad.metrics.lesionwise_scores : Lesion-wise scores of one mask.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import lesion_froc
    >>> y_true = np.array([[[1, 0, 0, 0, 1]]])
    >>> anomaly = np.array([[[3.0, 0.0, 2.0, 0.0, 1.0]]])
    >>> lesion_froc(y_true, anomaly, groups=["one"], n_thresholds=5, min_overlap=0.5)
    (array([0., 1., 1., 1.]), array([0.5, 0.5, 1. , 0. ]), array([3., 2., 1., 0.]))
    """
    y_true, anomaly = check_map(y_true, anomaly)
    if y_true.ndim != 3:
        raise ValueError(f"y_true should have shape (n_samples, height, width), got {y_true.shape}.")
    groups = check_groups(groups, len(y_true))
    if label is not None:
        anomaly = np.where((y_true > 0) & (y_true != check_label(label)), np.nan, anomaly)
    neighbors = ndimage.generate_binary_structure(3, connectivity)
    abnormal = (y_true > 0) & ~np.isnan(anomaly)
    volumes = [
        (ndimage.label(abnormal[groups == g], neighbors), anomaly[groups == g]) for g in np.unique(groups)
    ]
    n_lesions = sum(n for (_, n), _ in volumes)
    if not n_lesions:
        raise UndefinedScoreError(
            f"y_true should hold a lesion{'' if label is None else f' of label={label}'} in the foreground, "
            f"got none in {len(volumes)} volumes."
        )
    thresholds = _log_spaced_thresholds(anomaly, n_thresholds)
    counts = np.zeros((2, len(thresholds)))
    for (lesions, _), scores in volumes:
        places = np.flatnonzero(lesions)
        numbers = lesions.ravel()[places]
        counts += np.transpose(
            [_detections(numbers, places, scores >= t, neighbors, min_overlap, min_size) for t in thresholds]
        )
    found, false_positives = counts
    return false_positives / len(volumes), found / n_lesions, thresholds


def _log_spaced_thresholds(anomaly, n_thresholds):
    """Distinct scores that 1 to all foreground pixels reach, evenly spaced in the logarithm, descending."""
    scores = np.sort(anomaly[~np.isnan(anomaly)])
    n_reaching = np.geomspace(1, scores.size, n_thresholds).round().astype(int)
    return np.unique(scores[scores.size - n_reaching])[::-1]


def _detections(lesions, places, predicted, neighbors, min_overlap, min_size):
    """Return how many lesions are found and how many detections are false in one volume.

    `lesions` are the numbers of the lesions at the flat indices `places`.
    """
    detections, n_detections = ndimage.label(predicted, neighbors)
    detections = detections.ravel()
    sizes = np.bincount(detections, minlength=n_detections + 1)
    there = detections[places]
    inside = np.bincount(there, minlength=n_detections + 1)
    counted = (sizes >= min_size) & (np.arange(n_detections + 1) > 0)
    true = counted & (inside >= np.maximum(min_overlap * sizes, 1))
    return np.unique(lesions[true[there]]).size, np.count_nonzero(counted & ~true)
