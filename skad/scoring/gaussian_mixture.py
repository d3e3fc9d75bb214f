"""Gaussian mixture on the intensities of single pixels: the floor of every density method."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.mixture import GaussianMixture
from sklearn.utils._param_validation import Interval

from skad.base import PixelScorerMixin
from skad.mixture import energy
from skad.mixture.fitting import sample_pixels
from skad.training import seeded
from skad.utils.typing import Array
from skad.utils.validation import foreground_of


class MixtureScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: log-density of a pixel's intensities under scikit-learn's Gaussian mixture.

    Parameters
    ----------
    n_components : int, default=6
        Number of Gaussians, with full covariances.
    reg_covar : float, default=1e-6
        Added to the variances, squared units of X.
    max_iter : int, default=100
        Most steps of expectation maximization.
    max_pixels : int, default=200_000
        Pixels, drawn from the whole training foreground, that the mixture is fitted to.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    random_state : int, RandomState or None, default=None
        Seed of the choice of pixels and of the initialization.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Weights of the components.
    means_ : ndarray of shape (n_components, n_contrasts)
        Means of the components.
    covariances_ : ndarray of shape (n_components, n_contrasts, n_contrasts)
        Covariances of the components.
    converged_ : bool
        Whether expectation maximization converged.
    offset_ : float
        Scores below it are abnormal.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.ConditionalMixtureScorer : Scores one contrast given the others.
    skad.scoring.JointDRGMM : A mixture of residuals and learned features.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import MixtureScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16))
    >>> MixtureScorer(n_components=2, random_state=0).fit(X).means_.shape
    (2, 2)
    """

    _accepts = "images"
    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_pixels": [Interval(Integral, 2, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        n_components=6,
        reg_covar=1e-6,
        max_iter=100,
        max_pixels=200_000,
        contamination=0.01,
        random_state=None,
    ):
        self.n_components = n_components
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.max_pixels = max_pixels
        self.contamination = contamination
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit the mixture to the foreground pixels of normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Fewer different foreground pixels than components.
        """
        X = self._check_fit_input(X)
        with seeded(self.random_state) as generator:
            pixels = sample_pixels(X, self.max_pixels, generator)
            if len(np.unique(pixels, axis=0)) < self.n_components:
                raise ValueError(
                    f"n_components={self.n_components} needs at least as many foreground pixels that differ; "
                    "take fewer components or more slices."
                )
            mixture = GaussianMixture(
                self.n_components,
                reg_covar=self.reg_covar,
                max_iter=self.max_iter,
                random_state=int(generator.integers(2**31)),
            ).fit(pixels)
        self.weights_, self.means_, self.covariances_ = mixture.weights_, mixture.means_, mixture.covariances_
        self.converged_ = bool(mixture.converged_)
        return self._fit_offset(X)

    def _score(self, X):
        mixture = [torch.from_numpy(part) for part in (self.weights_, self.means_, self.covariances_)]
        scores = np.zeros((len(X), *X.shape[2:]), dtype=np.float32)
        for i, image in enumerate(X):
            inside = foreground_of(image[None])[0]
            pixels = torch.from_numpy(np.asarray(image[:, inside].T, dtype=np.float64))
            scores[i][inside] = -energy(pixels, *mixture).numpy()
        return scores

    def _features(self, X):
        return X
