"""Lesions are where other lesions are: maps that weigh a pixel by the prevalence of lesions around it."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit

from skad.postprocessing.smoothing import smooth_volume
from skad.utils.typing import Array, FloatArray

_EXPONENT = 0.1  # of the p-values of lesions, whose density is 0.1 p^-0.9
_PREVALENCE = 0.1  # before anything is known of a volume
_RETAINED = 0.2  # weight of what was known before, in each estimate of the prevalence
_SCALES = (1.0, 0.5)  # of the neighborhoods, from coarse to fine
_N_UNIFORM = 1000


def add_local_prevalence(
    maps: FloatArray, positions: Array, pixel_size: tuple[float, float], sigma: float
) -> FloatArray:
    r"""Raise the anomaly of pixels around which lesions are common, and lower that of others.

    A pixel of a p-value that is rare among normal pixels is more likely to be part of a lesion if many of its
    neighbors are. Its prior is the prevalence of lesions around it, estimated from the map itself, first in
    neighborhoods of `sigma`, then in neighborhoods of half of it.

    Parameters
    ----------
    maps : ndarray of shape (n_slices, height, width)
        Negative logarithms of p-values of one volume, with NaN background, which is ignored and stays NaN.
    positions : array-like of shape (n_slices,)
        Positions of the slices along their normal, mm, in any order.
    pixel_size : (float, float)
        Height and width of a pixel, mm.
    sigma : float
        Standard deviation of the neighborhoods, mm; 0 changes nothing.

    Returns
    -------
    ndarray of the shape and dtype of maps
        The map plus the logarithm of the local prior odds, relative to those that normal pixels get, divided
        by 0.9, so that it keeps the unit of the map. It is on average the map itself where p-values are
        uniform, and at most about 8 higher.

    See Also
    --------
    skad.VolumeAnomalyDetector : Does so with ``prevalence_smoothing``.
    skad.scoring.EnsembleScorer : Scores in logarithms of p-values.

    Notes
    -----
    We. The model is a beta-uniform mixture whose prevalence :math:`\pi` varies in space: p-values of normal
    pixels are uniform, those of lesions have the density :math:`a p^{a-1}`. With the map :math:`m`, the log
    odds of a lesion are

    .. math:: \log \frac{\pi}{1 - \pi} + \log a + (1 - a) m,

    and :math:`\pi` is re-estimated as a Gaussian mean of the posterior probabilities, shrunk toward its
    previous value (one step of EM per scale). Scores combined from several scorers are no exact p-values; the
    result is a ranking.

    References
    ----------
    Pounds and Morris, Estimating the occurrence of false positives and false negatives in microarray studies
    by approximating and partitioning the empirical distribution of p-values, Bioinformatics 19(10), 2003
    (beta-uniform mixtures). Efron, Large-scale inference, 2010, chapter 5 (local false discovery rates).

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.full((1, 9, 9), 1.0)
    >>> maps[0, :4, :4] = 6.0
    >>> maps[0, 8, 8] = 6.0
    >>> raised = add_local_prevalence(maps, [0.0], (1.0, 1.0), sigma=2.0)
    >>> bool(raised[0, 1, 1] > raised[0, 8, 8])
    True
    """
    if sigma == 0:
        return maps

    def around(shares, scale):
        return smooth_volume(shares, positions, pixel_size, scale * sigma)

    prior = _log_prior_odds(maps, around)
    uniform = -np.log((np.arange(_N_UNIFORM) + 0.5) / _N_UNIFORM)
    usual = _log_prior_odds(uniform, lambda shares, _: shares.mean())
    return maps + ((prior - usual) / (1 - _EXPONENT)).astype(maps.dtype)


def _log_prior_odds(m: FloatArray, mean: Callable[[FloatArray, float], FloatArray]) -> FloatArray:
    """Logit of the prevalence around every pixel; `mean` averages over a neighborhood of a relative size."""
    prevalence: float | FloatArray = _PREVALENCE
    for scale in _SCALES:
        lesion = expit((1 - _EXPONENT) * m + np.log(_EXPONENT) + logit(prevalence))
        prevalence = (1 - _RETAINED) * mean(lesion, scale) + _RETAINED * prevalence
    return logit(prevalence)
