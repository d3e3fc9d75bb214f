"""Smoothed intensity of one contrast: the floor that every detector has to beat."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, Options

from skad.base import PixelScorerMixin
from skad.postprocessing import smooth_foreground
from skad.utils.typing import Array


def median_foreground(maps, size):
    """Median filter of the last two axes that stays inside the foreground.

    Parameters
    ----------
    maps : ndarray of shape (..., height, width)
        NaN background.
    size : int
        Odd width of the square window, pixels; 1 changes nothing. What the window holds of background does
        not count.

    Returns
    -------
    ndarray of the shape and dtype of maps

    Examples
    --------
    >>> import numpy as np
    >>> median_foreground(np.array([[1.0, 9.0, 2.0, np.nan]]), size=3)
    array([[5. , 2. , 5.5, nan]])
    """
    if size == 1:
        return maps
    margin = [(0, 0)] * (maps.ndim - 2) + [(size // 2, size // 2)] * 2
    padded = np.pad(maps, margin, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(-2, -1))
    inside = ~np.isnan(maps)
    filtered = maps.copy()
    filtered[inside] = np.nanmedian(windows[inside].reshape(-1, size * size), axis=1)
    return filtered


class IntensityScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: smoothed intensity of a pixel in one contrast, without training.

    A simple baseline: hyperintensity on FLAIR alone detects multiple sclerosis better than most autoencoders
    (Meissen et al.).

    Parameters
    ----------
    contrast : int, default=0
        Index of the contrast; FLAIR where there is one.
    sign : {1, -1}, default=1
        1 where bright is abnormal, -1 where dark is.
    smoothing : float, default=1.5
        Standard deviation of the Gaussian, pixels; 0 for none.
    median : int, default=1
        Odd width of a median filter before the Gaussian, pixels; 1 for none.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.

    Attributes
    ----------
    offset_ : float
        Scores below it are abnormal.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.AtlasScorer : Compares the intensity with normal slices at the same place.
    skad.scoring.ConditionalMixtureScorer : Compares it with the other contrasts.

    References
    ----------
    Meissen, Kaissis, Rueckert, "Challenging current semi-supervised anomaly segmentation methods for brain
    MRI", 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import IntensityScorer
    >>> X = np.arange(6.0).reshape(1, 1, 2, 3)
    >>> IntensityScorer(smoothing=0).fit(X).score_samples(X)
    array([[[-0., -1., -2.],
            [-3., -4., -5.]]], dtype=float32)
    """

    _accepts = "images"
    _parameter_constraints = {
        "contrast": [Interval(Integral, 0, None, closed="left")],
        "sign": [Options(Integral, {1, -1})],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "median": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
    }

    def __init__(self, *, contrast=0, sign=1, smoothing=1.5, median=1, contamination=0.01):
        self.contrast = contrast
        self.sign = sign
        self.smoothing = smoothing
        self.median = median
        self.contamination = contamination

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Choose the default threshold on normal slices.

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
        if self.contrast >= self.n_contrasts_in_:
            raise ValueError(
                f"contrast={self.contrast} is out of range: X has {self.n_contrasts_in_} contrasts."
            )
        if self.median % 2 == 0:
            raise ValueError(f"median should be an odd width, got {self.median}.")
        return self._fit_offset(X)

    def _score(self, X):
        return -self.sign * self._features(X)[:, 0]

    def _features(self, X):
        smoothed = np.empty((len(X), 1, *X.shape[2:]), dtype=np.float32)
        for i, image in enumerate(X):  # slice by slice: a memory map stays on disk
            intensity = np.asarray(image[self.contrast], dtype=np.float32)
            smoothed[i, 0] = smooth_foreground(median_foreground(intensity, self.median), self.smoothing)
        return smoothed
