"""What an image has and its reference has not: absolute, squared or structural residuals (K, Fig. 5)."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

from skad.base import PixelScorerMixin
from skad.nn.background import standardize_foreground
from skad.nn.residuals import residual
from skad.nn.ssim import ssim_map
from skad.postprocessing import smooth_foreground
from skad.training import map_slices
from skad.utils.typing import Array
from skad.utils.validation import foreground_of, missing_contrasts


class ResidualScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: negative mean residual over the contrasts; only the range of intensities is learned.

    Parameters
    ----------
    metric : {"l1", "l2", "ssim"}, default="l1"
        ``|x - r|``, (x - r)^2, or (1 - SSIM) / 2 around the pixel, of the image x and its reference r.
    sign : {1, -1} or None, default=None
        1 counts what is brighter than the reference as abnormal and what is darker as the more normal, -1 the
        other way round; None both alike. Not for "ssim".
    contrasts : sequence of int or None, default=None
        Indices of the contrasts that count; None for all.
    smoothing : float, default=0.0
        Gaussian smoothing of every contrast's residual inside the foreground, pixels.
    standardize : bool, default=False
        Give the score of every slice mean 0 and standard deviation 1 over its foreground, as
        :class:`PatchEmbeddingScorer` does by default (K): to compare the two, treat both alike.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    batch_size : int, default=32
        Slices at a time.
    device : str, default="auto"
        "auto", "cpu", "cuda", "cuda:N".

    Attributes
    ----------
    data_range_ : ndarray of shape (n_contrasts,)
        Largest minus smallest training intensity: the range of SSIM.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    PatchEmbeddingScorer : Differences of learned embeddings.
    JointDRGMM : A density of residuals.

    Notes
    -----
    A contrast that is missing counts as zero residual.

    References
    ----------
    (K, Fig. 5) compares patch embeddings with these. Wang et al. 2004 (SSIM).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import ResidualScorer
    >>> P = np.stack([np.full((1, 2, 1, 3), 5.0), np.full((1, 2, 1, 3), 3.0)], axis=1)
    >>> ResidualScorer().fit(P).score_samples(P)
    array([[[-2., -2., -2.]]], dtype=float32)
    """

    _missing_contrast = True
    _parameter_constraints = {
        "metric": [StrOptions({"l1", "l2", "ssim"})],
        "sign": [Options(Integral, {1, -1}), None],
        "contrasts": ["array-like", None],
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "standardize": ["boolean"],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "device": [str],
    }

    def __init__(
        self,
        *,
        metric="l1",
        sign=None,
        contrasts=None,
        smoothing=0.0,
        standardize=False,
        contamination=0.01,
        batch_size=32,
        device="auto",
    ):
        self.metric = metric
        self.sign = sign
        self.contrasts = contrasts
        self.smoothing = smoothing
        self.standardize = standardize
        self.contamination = contamination
        self.batch_size = batch_size
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn the range of the intensities and the default threshold on normal pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2, n_contrasts, height, width)
            Pairs from a reconstructor. NaN background.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            ``sign`` with SSIM, which has none, or a contrast that X does not have.
        """
        P = self._check_fit_input(X)
        if self.metric == "ssim" and self.sign is not None:
            raise ValueError(f'sign should be None for metric="ssim", which has no sign, got {self.sign}.')
        known = range(self.n_contrasts_in_)
        if not self._contrasts() or any(contrast not in known for contrast in self._contrasts()):
            raise ValueError(
                f"contrasts should be indices from 0 to {self.n_contrasts_in_ - 1}, got {self.contrasts}."
            )
        self.data_range_ = _range_of(P)
        return self._fit_offset(P)

    def _contrasts(self):
        return list(range(self.n_contrasts_in_) if self.contrasts is None else self.contrasts)

    def _score(self, X):
        residuals = self._features(X).mean(axis=1)
        if self.standardize:
            foreground = torch.from_numpy(foreground_of(X[:, 0]))
            residuals = standardize_foreground(torch.from_numpy(residuals).nan_to_num(), foreground).numpy()
        return -residuals

    def _features(self, X):
        observed = X[:, 0]
        residuals = map_slices(self, self._residuals, X, modules=[], precision="fp32")
        residuals[missing_contrasts(observed)] = 0
        residuals = np.where(
            foreground_of(observed)[:, None], residuals[:, self._contrasts()], np.float32(np.nan)
        )
        return smooth_foreground(residuals, self.smoothing)

    def _residuals(self, pairs, foreground):
        observed, reference = pairs.unbind(1)
        if self.metric == "ssim":
            data_range = torch.as_tensor(self.data_range_, device=pairs.device)[:, None, None]
            return (1 - ssim_map(observed, reference, foreground, data_range=data_range)) / 2
        size = {"l1": "absolute", "l2": "squared"}[self.metric]
        if self.sign is None:
            return residual(observed, reference, size)
        return self.sign * residual(
            observed, reference, {"l1": "signed", "l2": "signed squared"}[self.metric]
        )


def _range_of(P):
    """Per contrast the largest minus the smallest observed intensity, pair by pair; 1 where all are equal."""
    flat = [pair[0].reshape(pair.shape[1], -1) for pair in P]
    largest = np.fmax.reduce([np.fmax.reduce(image, axis=1) for image in flat])
    smallest = np.fmin.reduce([np.fmin.reduce(image, axis=1) for image in flat])
    return np.where(largest > smallest, largest - smallest, 1).astype(np.float32)
