"""Whether a probability of being abnormal is one."""

import numpy as np

from skad.metrics.foreground import check_label, check_map
from skad.utils.typing import Array


def foreground_calibration_error(
    y_true: Array, probability: Array, *, n_bins: int = 15, label: int | None = None
) -> float:
    """Expected calibration error of a map of probabilities over foreground pixels.

    Mean, over the pixels, of the difference between the mean probability and the share of abnormal pixels in
    equally wide bins of the probability.

    Parameters
    ----------
    y_true : array-like of int
        0 normal, ``k >= 1`` abnormality class k; any shape.
    probability : array-like of the same shape
        Of being abnormal, in [0, 1]; NaN in the background.
    n_bins : int, default=15
        Equally wide bins of [0, 1].
    label : int or None, default=None
        Class against normal, the other classes left out; None takes every class as abnormal.

    Returns
    -------
    float
        From 0 (calibrated) to 1; NaN without foreground.

    Raises
    ------
    ValueError
        If the shapes differ, `n_bins` is less than 1, or a probability is outside [0, 1].

    See Also
    --------
    skad.evaluation.ScoreProbability : Turns scores into probabilities.

    References
    ----------
    .. [1] Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
       AAAI 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import foreground_calibration_error
    >>> foreground_calibration_error(np.array([0, 1, 0, 1]), np.array([0.25, 0.25, 0.75, 0.75]))
    0.25
    """
    y_true, probability = check_map(y_true, probability)
    if n_bins < 1:
        raise ValueError(f"n_bins should be at least 1, got {n_bins}.")
    kept = ~np.isnan(probability)
    if label is not None:
        kept &= (y_true == 0) | (y_true == check_label(label))
    p, abnormal = probability[kept].astype(np.float64), y_true[kept] > 0
    if not p.size:
        return float("nan")
    if p.min() < 0 or p.max() > 1:
        raise ValueError(
            f"probability should be in [0, 1], got {p.min():.4g} to {p.max():.4g}: anomaly scores are not "
            "probabilities, calibrate them on validation data first."
        )
    bins = np.minimum((p * n_bins).astype(np.intp), n_bins - 1)
    differences = np.bincount(bins, weights=p - abnormal, minlength=n_bins)
    return float(np.abs(differences).sum() / p.size)
