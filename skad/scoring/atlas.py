"""Deviation from the training slices at the same place: an atlas of means and spreads."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, Options
from sklearn.utils.validation import check_is_fitted

from skad.base import PixelScorerMixin
from skad.postprocessing import smooth_foreground
from skad.utils.typing import Array


class AtlasScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: deviation of a pixel from the training slices at the same place, in standard deviations.

    It needs slices of one level that are aligned with each other, as those of scans in MNI space are; where
    slices of several levels are mixed, the atlas is that of no level.

    Parameters
    ----------
    contrasts : list of int or None, default=None
        Indices of the contrasts whose deviations are averaged; None takes all.
    sign : {1, -1} or None, default=None
        1 where brighter than the atlas is abnormal, -1 where darker is; None takes both.
    n_prior : float, default=5.0
        Weight, in slices, of the mean and variance over all places, with which those of a place are averaged:
        where few training slices have foreground, the atlas is that of the whole image.
    smoothing : float, default=1.0
        Standard deviation of a Gaussian over the deviations, inside the foreground, pixels; 0 for none.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.

    Attributes
    ----------
    mean_, scale_ : float64 ndarray of shape (n_contrasts, height, width)
        Mean and standard deviation of the training slices at every place.
    offset_ : float
    background_ : ndarray of shape (n_contrasts,)
    n_contrasts_in_ : int

    See Also
    --------
    IntensityScorer : Intensity alone, wherever it is.

    Notes
    -----
    The parameters are ours; position-wise deviation from controls is the oldest method of the field, see
    Seghier et al., "Lesion identification using unified segmentation-normalisation models and fuzzy
    clustering", NeuroImage 41, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import AtlasScorer
    >>> X = np.random.default_rng(0).normal(size=(50, 1, 8, 9))
    >>> scorer = AtlasScorer(smoothing=0).fit(X)
    >>> X[0, 0, 3, 4] = 9.0
    >>> scores = scorer.score_samples(X[:1])
    >>> tuple(map(int, np.unravel_index(scores[0].argmin(), (8, 9))))
    (3, 4)
    """

    _accepts = "images"
    _parameter_constraints = {
        "contrasts": [list, tuple, None],
        "sign": [Options(Integral, {1, -1}), None],
        "n_prior": [Interval(Real, 0, None, closed="neither")],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
    }

    def __init__(self, *, contrasts=None, sign=None, n_prior=5.0, smoothing=1.0, contamination=0.01):
        self.contrasts = contrasts
        self.sign = sign
        self.n_prior = n_prior
        self.smoothing = smoothing
        self.contamination = contamination

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn mean and spread of every place from normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._check_fit_input(X)
        wrong = [c for c in self.contrasts or () if not 0 <= c < self.n_contrasts_in_]
        if wrong:
            raise ValueError(
                f"contrasts should be indices below {self.n_contrasts_in_}, the number of contrasts of X, "
                f"got {wrong[0]}."
            )
        count, total = (_summed(X, power) for power in (0, 1))
        everywhere = total.sum(axis=(1, 2), keepdims=True) / count.sum(axis=(1, 2), keepdims=True)
        self.mean_ = (total + self.n_prior * everywhere) / (count + self.n_prior)
        squares = _summed(X, 2, self.mean_)
        spread = _summed(X, 2, everywhere).sum(axis=(1, 2), keepdims=True)
        variance = spread / count.sum(axis=(1, 2), keepdims=True)
        self.scale_ = np.sqrt((squares + self.n_prior * variance) / (count + self.n_prior))
        self.scale_ = np.maximum(self.scale_, np.finfo(np.float32).tiny)
        return self._fit_offset(X)

    def _score(self, X):
        return -self._features(X)[:, 0]

    def _features(self, X):
        check_is_fitted(self, "mean_")
        if X.shape[2:] != self.mean_.shape[1:]:
            raise ValueError(
                f"X should have slices of {self.mean_.shape[1:]} pixels as in fit, got {X.shape[2:]}: an "
                "atlas knows the places of those only."
            )
        chosen = list(range(self.n_contrasts_in_) if self.contrasts is None else self.contrasts)
        deviation = (np.asarray(X)[:, chosen] - self.mean_[chosen]) / self.scale_[chosen]
        deviation = np.abs(deviation) if self.sign is None else self.sign * deviation
        present = ~np.isnan(deviation)
        total = np.where(present, deviation, 0).sum(axis=1)
        n = present.sum(axis=1)
        mean = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
        return smooth_foreground(mean, self.smoothing)[:, None].astype(np.float32)


def _summed(X, power, center=0.0):
    """Sum over the slices of (X - center) ** power, background left out, (n_contrasts, height, width)."""
    total = 0.0
    for image in X:  # slice by slice: a memory map stays on disk
        image = np.asarray(image, dtype=np.float64)
        total = total + np.where(np.isnan(image), 0, (image - center) ** power)
    return total
