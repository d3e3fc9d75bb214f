"""A metric per patient, with its mean and standard deviation over patients."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skad.metrics.foreground import UndefinedScoreError
from skad.utils.typing import Array


def check_groups(groups, n_samples):
    """Return `groups` as an array of shape (n_samples,) or raise `ValueError`."""
    if groups is None:
        raise ValueError("groups should name the patient of each slice, got None.")
    groups = np.asarray(groups)
    if groups.shape != (n_samples,):
        raise ValueError(
            f"groups should have shape ({n_samples},), one patient per slice, got {groups.shape}."
        )
    return groups


def per_group(
    metric: Callable[..., float], y_true: Array, anomaly: Array, groups: Array, **kwargs: Any
) -> dict[str, Any]:
    """Compute a metric for each patient.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, anomaly, **kwargs) -> float``, such as `foreground_roc_auc_score`.
    y_true, anomaly : array-like of shape (n_samples, height, width)
        Labels and anomaly map; see `foreground_roc_auc_score`.
    groups : array-like of shape (n_samples,)
        Patient of each slice.
    **kwargs
        Passed to `metric`, e.g. ``label=2``.

    Returns
    -------
    dict
        ``groups`` : ndarray, the patients in sorted order; ``values`` : ndarray of float, NaN for a patient
        whose foreground lacks normal or abnormal pixels; ``mean`` and ``sd`` (population) over the patients
        that have a value; ``n_scored`` : how many those are; ``left_out`` : the patients without a value.

    Raises
    ------
    ValueError
        If `groups` does not name one patient per slice, or what `metric` raises for bad input.
    UndefinedScoreError
        If no patient has a value.

    See Also
    --------
    skad.evaluation.evaluate_slices : All scores of every patient.
    skad.metrics.foreground_roc_auc_score : A metric.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_roc_auc_score, per_group
    >>> y_true = np.array([[[0, 1]], [[0, 1]], [[0, 0]]])
    >>> anomaly = np.array([[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]])
    >>> scores = per_group(foreground_roc_auc_score, y_true, anomaly, ["a", "b", "c"])
    >>> scores["values"], scores["mean"], scores["sd"]
    (array([ 1.,  0., nan]), 0.5, 0.5)
    >>> scores["n_scored"], scores["left_out"]
    (2, ['c'])
    """
    y_true, anomaly = np.asanyarray(y_true), np.asanyarray(anomaly)
    groups = check_groups(groups, len(y_true))
    if len(anomaly) != len(y_true):
        raise ValueError(f"anomaly should hold {len(y_true)} slices as y_true does, got {len(anomaly)}.")
    patients = np.unique(groups)
    values = np.array(
        [_value_or_nan(metric, y_true[groups == p], anomaly[groups == p], kwargs) for p in patients]
    )
    scored = ~np.isnan(values)
    if not scored.any():
        raise UndefinedScoreError(
            f"groups should hold a patient that {_name(metric)} can score, got {len(patients)} without both "
            f"normal and abnormal foreground pixels{''.join(f' ({k}={v!r})' for k, v in kwargs.items())}."
        )
    return {
        "groups": patients,
        "values": values,
        "mean": float(values[scored].mean()),
        "sd": float(values[scored].std()),
        "n_scored": int(scored.sum()),
        "left_out": patients[~scored].tolist(),
    }


def _value_or_nan(metric, y_true, anomaly, kwargs):
    try:
        return metric(y_true, anomaly, **kwargs)
    except UndefinedScoreError:
        return np.nan


def _name(metric):
    return getattr(metric, "__name__", repr(metric))
