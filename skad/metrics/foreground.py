"""Foreground pixels of a labeled stack, split into abnormal and normal scores."""

import numpy as np


class UndefinedScoreError(ValueError):
    """A score is undefined because one of the two classes has no pixels.

    See Also
    --------
    skad.metrics.foreground_roc_auc_score : One of the metrics that raise it.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import UndefinedScoreError, foreground_roc_auc_score
    >>> try:
    ...     foreground_roc_auc_score(np.array([0, 0]), np.array([0.1, 0.2]))
    ... except UndefinedScoreError:
    ...     print("there is no abnormal pixel")
    there is no abnormal pixel
    """


def check_map(y_true, anomaly):
    """Check labels against an anomaly map and return both as arrays.

    Parameters
    ----------
    y_true : array-like of int or bool
        0 normal, ``k >= 1`` abnormality class k. Any shape, usually ``(n_samples, height, width)``.
    anomaly : array-like of the same shape
        High where abnormal, NaN in the background.

    Returns
    -------
    y_true, anomaly : ndarray
        The input itself where it already is an array, memmaps included.

    Raises
    ------
    ValueError
        If the shapes differ, the labels are not integers or negative, or the map is not real or infinite.
    """
    y_true, anomaly = check_shapes_and_types(y_true, anomaly)
    n_infinite = np.count_nonzero(np.isinf(anomaly))
    if n_infinite:
        raise ValueError(
            f"anomaly should be finite, or NaN in the background, got {n_infinite} infinite values: clip "
            "them or set them to NaN."
        )
    return y_true, anomaly


def check_shapes_and_types(y_true, anomaly):
    """Do what `check_map` does without looking for infinities, which is a second pass over the scores."""
    y_true, anomaly = np.asanyarray(y_true), np.asanyarray(anomaly)
    if y_true.shape != anomaly.shape:
        raise ValueError(
            f"anomaly should have the shape of y_true, {y_true.shape}, got {anomaly.shape}: score the slices "
            "that y_true labels."
        )
    if y_true.dtype.kind not in "iub":
        raise ValueError(
            "y_true should hold integer labels, 0 normal and k >= 1 abnormal, "
            f"got dtype {y_true.dtype}: convert it with y_true.astype(int)."
        )
    if y_true.size and y_true.min() < 0:
        raise ValueError(f"y_true should hold labels >= 0, got {y_true.min()}: give unlabeled pixels 0.")
    if anomaly.dtype.kind not in "fiub":
        raise ValueError(f"anomaly should hold real numbers, got dtype {anomaly.dtype}.")
    return y_true, anomaly


def split_foreground(y_true, anomaly, *, label=None):
    """Return the scores of abnormal and of normal foreground pixels.

    Parameters
    ----------
    y_true, anomaly : ndarray
        As `check_map` returns them.
    label : int or None, default=None
        Class that counts as abnormal; pixels of the other classes are left out. None: every class counts.

    Returns
    -------
    positives, negatives : ndarray of shape (n_positives,), (n_negatives,)

    Raises
    ------
    UndefinedScoreError
        If either is empty.
    """
    foreground = ~np.isnan(anomaly)
    abnormal = y_true > 0 if label is None else y_true == check_label(label)
    positives, negatives = anomaly[foreground & abnormal], anomaly[foreground & (y_true == 0)]
    if not (positives.size and negatives.size):
        present = np.unique(y_true[foreground]).tolist()
        raise UndefinedScoreError(missing_class_message(present, label))
    return positives, negatives


def check_label(label):
    """Return `label`, an abnormality class, or raise `ValueError`: 0 is the normal class."""
    if label < 1:
        raise ValueError(f"label should be an abnormality class >= 1, or None for all of them, got {label}.")
    return label


def missing_class_message(present, label):
    """Say in one sentence which class is missing among the labels `present` in the foreground."""
    if not present:
        return "anomaly should hold foreground pixels, got none: score slices that show the body."
    if label is not None and label not in present:
        return f"label={label} should be present in the foreground, got only the labels {present} there."
    return (
        "y_true should hold normal (0) and abnormal (k >= 1) pixels in the foreground, "
        f"got only the labels {present} there: add slices with the missing kind."
    )
