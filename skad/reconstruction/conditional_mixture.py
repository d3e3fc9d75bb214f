"""A normal reference in closed form: every contrast as the others predict it under a Gaussian mixture."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval

from skad.base import ReconstructorMixin
from skad.mixture.conditional import ConditionalMixture
from skad.mixture.conditional_maps import conditional_maps
from skad.mixture.fitting import fit_mixture, sample_pixels
from skad.training import seeded
from skad.utils.out_of_core import map_chunks
from skad.utils.typing import Array, FloatArray
from skad.utils.validation import foreground_of


class ConditionalMixtureReconstructor(ReconstructorMixin, BaseEstimator):
    """Reference: mean of a contrast given the pixel's other contrasts under a Gaussian mixture.

    What :class:`ContrastTranslator` learns with a network, from single pixels and in closed form, with the
    spread around it.

    Parameters
    ----------
    n_components : int, default=3
        Gaussians with full covariances.
    reg_covar : float, default=1e-3
        Added to the variances, in units of each contrast's variance over the pixels.
    max_iter : int, default=100
        Most steps of expectation maximization.
    max_pixels : int, default=40_000
        Pixels, drawn from the whole training foreground, that the mixture is fitted to.
    random_state : int, RandomState or None, default=None
        Of the pixels that are drawn, and of the clustering that EM starts from.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Shares of the components.
    means_ : ndarray of shape (n_components, n_contrasts)
        Means, in units of X.
    covariances_ : ndarray of shape (n_components, n_contrasts, n_contrasts)
        Covariances, in units of X.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.scoring.ConditionalMixtureScorer : Tail probabilities of the same distribution, without a pair.
    ContrastTranslator : The same reference by a network that sees the pixel's neighborhood.

    Notes
    -----
    A missing contrast is marginalized exactly, and its reference is what the others predict. An image of one
    contrast has the mean of the mixture as its reference everywhere.

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, eqs. 2.81 and 2.98.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skad.reconstruction import ConditionalMixtureReconstructor
    >>> from skad.scoring import ResidualScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16))
    >>> reference = ConditionalMixtureReconstructor(n_components=1, random_state=0)
    >>> make_pipeline(reference, ResidualScorer()).fit(X).score_samples(X).shape
    (4, 12, 16)
    """

    _missing_contrast = True
    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_pixels": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, *, n_components=3, reg_covar=1e-3, max_iter=100, max_pixels=40_000, random_state=None):
        self.n_components = n_components
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.max_pixels = max_pixels
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
            self.weights_, self.means_, self.covariances_ = fit_mixture(
                pixels,
                self.n_components,
                reg_covar=self.reg_covar,
                max_iter=self.max_iter,
                seed=int(generator.integers(2**31)),
            )
        return self

    def spread(self, X: Array) -> FloatArray:
        """Standard deviation that is expected around the reference.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_contrasts, height, width)
            In units of X; NaN in the background.
        """
        return map_chunks(self._visible_spread, self._check_score_input(X))

    def _visible_spread(self, X):
        spread = self._maps(ConditionalMixture.spread, X)
        return np.where(foreground_of(X)[:, None], spread, np.float32(np.nan))

    def _reconstruct(self, X):
        return self._maps(ConditionalMixture.mean, X)

    def _maps(self, function, X):
        mixture = self.weights_, self.means_, self.covariances_
        return conditional_maps(function, mixture, X, range(self.n_contrasts_in_))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "weights_")
