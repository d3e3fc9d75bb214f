"""One feature given others under a Gaussian mixture: tails, quantile residual, mean and spread."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.special import log_ndtr, logsumexp, ndtri_exp

from skad.utils.typing import Array, FloatArray

_LOG_HALF = np.log(0.5)


@dataclass(frozen=True, eq=False)
class ConditionalMixture:
    """Distribution of one feature of a pixel given some of its others, for a Gaussian mixture.

    With weights w, means m and covariances S of the joint mixture, target c and given features o, component k
    has the responsibility ``w_k N(x_o; m_k,o, S_k,oo)``, normalized over k, and x_c is normal in it with mean
    ``m_k,c + S_k,co S_k,oo^-1 (x_o - m_k,o)`` and variance ``S_k,cc - S_k,co S_k,oo^-1 S_k,oc``. Features
    that are neither target nor given are marginalized, exactly: their rows and columns are left out.

    Parameters
    ----------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)
        Positive definite.
    target : int
        Index of the feature c.
    given : sequence of int, default=()
        Indices of the features o; none gives the marginal distribution of the target.

    Attributes
    ----------
    slopes : ndarray of shape (n_components, n_given)
        S_k,oo^-1 S_k,oc, the coefficients of the regression of c on o.
    deviations : ndarray of shape (n_components,)
        Conditional standard deviations.

    References
    ----------
    Bishop, Pattern Recognition and Machine Learning, 2006, eqs. 2.81, 2.82, 2.98.
    Dunn, Smyth, Randomized quantile residuals, J. Comput. Graph. Stat. 5(3), 1996.

    Examples
    --------
    >>> import numpy as np
    >>> covariance = np.array([[1.0, 0.6], [0.6, 1.0]])
    >>> conditional = ConditionalMixture(np.ones(1), np.zeros((1, 2)), covariance[None], target=0, given=[1])
    >>> pixels = np.array([[1.4, 1.0]])
    >>> conditional.mean(pixels), conditional.spread(pixels), conditional.quantile_residual(pixels)
    (array([0.6]), array([0.8]), array([1.]))
    """

    weights: FloatArray
    means: FloatArray
    covariances: FloatArray
    target: int
    given: Sequence[int] = ()
    slopes: FloatArray = field(init=False)
    deviations: FloatArray = field(init=False)
    _factors: list[FloatArray] = field(init=False, repr=False)

    def __post_init__(self):
        given = list(self.given)
        factors, slopes, variances = [], [], []
        for covariance in self.covariances:
            factor = cholesky(covariance[np.ix_(given, given)], lower=True)
            whitened = solve_triangular(factor, covariance[given, self.target], lower=True)
            factors.append(factor)
            slopes.append(solve_triangular(factor, whitened, lower=True, trans=1))
            variances.append(covariance[self.target, self.target] - whitened @ whitened)
        object.__setattr__(self, "_factors", factors)
        object.__setattr__(self, "slopes", np.array(slopes))
        object.__setattr__(self, "deviations", np.sqrt(variances))

    def log_responsibilities(self, pixels: Array) -> FloatArray:
        """Log-probability of every component given the features o.

        Parameters
        ----------
        pixels : ndarray of shape (n_pixels, n_features)
            What features other than the given ones hold is ignored.

        Returns
        -------
        ndarray of shape (n_components, n_pixels)
        """
        with np.errstate(divide="ignore"):  # a component of weight zero
            log_joint = np.repeat(np.log(self.weights)[:, None], len(pixels), axis=1)
        for k, factor in enumerate(self._factors):
            whitened = solve_triangular(factor, self._offsets(pixels, k).T, lower=True)
            log_joint[k] -= 0.5 * np.square(whitened).sum(axis=0) + np.log(factor.diagonal()).sum()
        return log_joint - logsumexp(log_joint, axis=0)

    def component_means(self, pixels: Array) -> FloatArray:
        """Mean of the target in every component given the features o, shape (n_components, n_pixels)."""
        return np.array(
            [
                mean[self.target] + self._offsets(pixels, k) @ slope
                for k, (mean, slope) in enumerate(zip(self.means, self.slopes, strict=True))
            ]
        )

    def mean(self, pixels: Array) -> FloatArray:
        """Mean of the target given the features o, shape (n_pixels,)."""
        return (np.exp(self.log_responsibilities(pixels)) * self.component_means(pixels)).sum(axis=0)

    def spread(self, pixels: Array) -> FloatArray:
        """Standard deviation of the target given the features o, within and between components."""
        shares, means = np.exp(self.log_responsibilities(pixels)), self.component_means(pixels)
        between = np.square(means - (shares * means).sum(axis=0))
        return np.sqrt((shares * (np.square(self.deviations)[:, None] + between)).sum(axis=0))

    def log_tails(self, pixels: Array) -> tuple[FloatArray, FloatArray]:
        """Log-probability of a target below, and of one above, that of each pixel.

        Parameters
        ----------
        pixels : ndarray of shape (n_pixels, n_features)

        Returns
        -------
        lower, upper : ndarray of shape (n_pixels,)
            At most 0; finite however far out a pixel lies.
        """
        shares = self.log_responsibilities(pixels)
        standardized = (pixels[:, self.target] - self.component_means(pixels)) / self.deviations[:, None]
        return (
            np.minimum(logsumexp(shares + log_ndtr(standardized), axis=0), 0),
            np.minimum(logsumexp(shares + log_ndtr(-standardized), axis=0), 0),
        )

    def quantile_residual(self, pixels: Array) -> FloatArray:
        """z with Phi(z) the conditional distribution function: standard normal for pixels of the mixture.

        Parameters
        ----------
        pixels : ndarray of shape (n_pixels, n_features)

        Returns
        -------
        ndarray of shape (n_pixels,)
            With one component the residual in units of its standard deviation. Taken from the smaller tail,
            so that it is exact far out.
        """
        lower, upper = self.log_tails(pixels)
        return np.where(
            lower < upper, ndtri_exp(np.minimum(lower, _LOG_HALF)), -ndtri_exp(np.minimum(upper, _LOG_HALF))
        )

    def _offsets(self, pixels, k):
        given = list(self.given)
        return pixels[:, given] - self.means[k, given]
