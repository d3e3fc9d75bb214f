"""Do new patients' scores still look like those that a threshold was calibrated on?"""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from skad.utils.typing import Array

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.9)
"""A patient's scores in five numbers, which a lesion, as it is no drift, hardly moves unless it is large."""

_PERMUTATIONS = 999


class DriftWarning(UserWarning):
    """Scores of new patients differ from those of calibration, so the false-positive rate may not hold.

    See Also
    --------
    skad.calibration.ConformalCalibrator : Its ``check_drift`` gives the warning.

    Examples
    --------
    >>> import warnings
    >>> from skad.calibration import DriftWarning
    >>> warnings.simplefilter("error", DriftWarning)  # makes drift an error
    """


def summarize(scores):
    """Quantiles of the scores of one patient, shape (5,)."""
    return np.quantile(np.asarray(scores, dtype=np.float64), QUANTILES)


def drift_p_value(calibration: Array, new: Array | Sequence[Array], *, random_state: int = 0) -> float:
    """Permutation test of whether new patients and the calibration patients come from one cohort.

    The statistic is the distance between the mean summaries of the two groups, each quantile in units of its
    interquartile range over all patients. Patients change groups as a whole, so the p-value is exact when
    they are exchangeable: with probability 0.05 at most it is 0.05 or less. For one new patient it is the
    conformal p-value of the distance from the mean, for which 0.05 needs 19 patients of calibration.

    Parameters
    ----------
    calibration : array of shape (n_patients, n_quantiles)
        Quantiles of the scores of each calibration patient.
    new : array of shape (n_new_patients, n_quantiles)
        Quantiles of the scores of each new patient.
    random_state : int, default=0
        Seed of the permutations; used if there are too many to enumerate.

    Returns
    -------
    float
        The p-value.

    See Also
    --------
    skad.calibration.ConformalCalibrator : Its ``check_drift`` applies the test to scans.

    Examples
    --------
    >>> import numpy as np
    >>> calibration = np.random.default_rng(0).normal(size=(39, 5))
    >>> drift_p_value(calibration, calibration[:1] + 9)
    0.025
    """
    pooled = np.concatenate([np.atleast_2d(new), calibration])
    n_new, n = len(pooled) - len(calibration), len(pooled)
    low, high = np.quantile(pooled, (0.25, 0.75), axis=0)
    standardized = (pooled - pooled.mean(axis=0)) / np.where(high > low, high - low, 1)
    members = _regroupings(n, n_new, random_state)
    distances = np.linalg.norm(standardized[members].mean(axis=1), axis=1)
    return float(np.mean(distances >= distances[0] * (1 - 1e-9)))


def _regroupings(n, size, random_state):
    """Who is new: in the first row as it is, then every other choice or, of too many, random ones."""
    if math.comb(n, size) <= _PERMUTATIONS + 1:
        return np.array(list(combinations(range(n), size)))
    lots = np.random.default_rng(random_state).random((_PERMUTATIONS, n))
    first = np.arange(size)[None]
    return np.concatenate([first, np.argsort(lots, axis=1)[:, :size]])
