"""Split-conformal p-values of anomaly scores when patients, not pixels, are exchangeable.

Normal patient i has scores with weights that sum to one. Let T_i(s) be the weight of those that are at least
s. The p-value of a score s is ::

    p(s) = (1 + T_1(s) + ... + T_n(s)) / (n + 1).

Theorem. If a new normal patient is exchangeable with the n patients, then for every fpr the expected weight
of the new patient's scores with p(s) <= fpr is at most fpr.

Proof. Let p*(s) be the mean of T_1(s), ..., T_{n+1}(s), the new patient included. As T_{n+1} <= 1, p* <= p.
Draw a score S from the n + 1 patients together: p* is its survival function, so P(p*(S) <= fpr) <= fpr
whichever patients they are. Of these patients the new one is each with probability 1 / (n + 1), so the
expected weight of its scores with p* <= fpr is that probability.

With equal weights of a patient's pixels, {p <= fpr} is conformal risk control (Angelopoulos et al. 2022) of
the share of false-positive pixels: n / (n + 1) * mean share + 1 / (n + 1) <= fpr. With all the weight on a
patient's largest score it is the split-conformal rule (Papadopoulos et al. 2002): a score is abnormal above
the ceil((n + 1) (1 - fpr))-th smallest maximum, and a normal patient has any such score with probability fpr
at most. Nothing can be abnormal unless 1 / (n + 1) <= fpr.
"""

import math

import numpy as np

_KNOTS = 1024  # scores kept of a patient: the tail is overstated by less than 2 % of its size


def minimum_patients(fpr):
    """Fewest normal patients from which any score can be called abnormal: 1 / (n + 1) <= fpr.

    Examples
    --------
    >>> minimum_patients(0.01), minimum_patients(0.3)
    (99, 3)
    """
    return max(1, math.ceil(1 / fpr - 1e-9) - 1)


def check_patients(n_patients, fpr):
    """Raise where there are too few patients for the false-positive rate."""
    if n_patients < minimum_patients(fpr):
        raise ValueError(
            f"fpr={fpr:g} needs at least {minimum_patients(fpr)} normal patients to calibrate on, "
            f"got {n_patients}: add patients, or ask for an fpr of at least "
            f"{_rounded_up(1 / (n_patients + 1)):g}."
        )


def largest_score(scores):
    """All the weight on the largest score: the false-positive rate counts patients.

    Returns
    -------
    values, weights : ndarray of shape (1,)
    """
    return np.array([scores.max()]), np.ones(1)


def score_tail(scores, n_knots=_KNOTS):
    """Scores of one patient with equal weights, in few numbers: the false-positive rate counts pixels.

    Weights of scores that are left out go to the next larger one kept, which can only raise p-values. What is
    kept is spaced evenly in the logarithm of the number of scores at least as large.

    Parameters
    ----------
    scores : ndarray of shape (n,)
    n_knots : int
        Most scores to keep.

    Returns
    -------
    values : ndarray of shape (k,)
        Ascending.
    weights : ndarray of shape (k,)
        Sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> score_tail(np.array([3.0, 1.0, 4.0, 2.0]))
    (array([1., 2., 3., 4.]), array([0.25, 0.25, 0.25, 0.25]))
    """
    n = len(scores)
    kept = np.arange(n)
    if n > n_knots:
        kept = np.unique(n - np.geomspace(1, n, n_knots).round().astype(int))
    return np.sort(scores)[kept], np.diff(kept, prepend=-1) / n


def p_value_curve(samples):
    """p-values as a step function of the score.

    Parameters
    ----------
    samples : sequence of (values, weights)
        One per normal patient; weights sum to 1.

    Returns
    -------
    thresholds : ndarray of shape (m,)
        Ascending; the first is minus infinity.
    p_values : ndarray of shape (m,)
        Of scores above a threshold and not above the next; descending from 1 to 1 / (n_patients + 1).

    Examples
    --------
    >>> import numpy as np
    >>> p_value_curve([largest_score(np.array([maximum])) for maximum in (2.0, 7.0, 5.0)])
    (array([-inf,   2.,   5.,   7.]), array([1.  , 0.75, 0.5 , 0.25]))
    """
    values, weights = (np.concatenate(each) for each in zip(*samples, strict=True))
    order = np.argsort(values, kind="stable")
    at_least = np.cumsum(weights[order][::-1])[::-1]
    above = np.concatenate([[len(samples)], at_least[1:], [0]])
    thresholds = np.concatenate([[-np.inf], values[order]])
    return thresholds, np.minimum((1 + above) / (len(samples) + 1), 1)


def p_values_of(scores, thresholds, p_values):
    """p-values of scores, an array of their shape; NaN where the score is NaN."""
    step = np.searchsorted(thresholds, scores, side="left") - 1
    return np.where(np.isnan(scores), np.nan, p_values[np.maximum(step, 0)])


def threshold_at(fpr, thresholds, p_values):
    """Scores above this have a p-value of at most fpr, and no others."""
    return float(thresholds[np.argmax(p_values <= fpr)])


def _rounded_up(fraction):
    """To three digits after leading zeros, so that the advice is a number that is large enough."""
    unit = 10.0 ** (math.floor(math.log10(fraction)) - 2)
    return min(math.ceil(fraction / unit - 1e-9) * unit, 1.0)
