"""Tail probability of a contrast given the others under a Gaussian mixture of normal pixels."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp, xlogy
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, Options

from skad.base import PixelScorerMixin
from skad.mixture.conditional import ConditionalMixture
from skad.mixture.conditional_maps import condition_on_others, conditional_maps
from skad.mixture.fitting import fit_trimmed_mixture, sample_pixels
from skad.postprocessing import smooth_foreground
from skad.training import seeded
from skad.utils.contrasts import is_t1_weighted, with_bright_lesions
from skad.utils.typing import Array
from skad.utils.validation import foreground_of, missing_contrasts

_SIGNS = {1: "brighter", 0: "brighter or darker", -1: "darker"}


class ConditionalMixtureScorer(PixelScorerMixin, BaseEstimator):
    r"""Scorer: log-probability that a contrast is as extreme given the other contrasts of the pixel.

    A Gaussian mixture is fitted to the joint intensities of normal pixels. Conditioned on the other
    contrasts it predicts the distribution of one, :math:`p(x_c | x_o)`, in closed form; a lesion that is
    bright on FLAIR for a pixel with its T1 intensities lies in the upper tail. It is contrast translation
    with a residual scale, without a network: fitting takes less than a second.

    Parameters
    ----------
    contrast : int, sequence of int, or None, default=None
        Index of the contrast that is scored. Several are combined by Fisher's method; None scores all.
    given : sequence of int or None, default=None
        Indices of the contrasts that it is conditioned on; None takes all others of the image, and an empty
        sequence scores the marginal distribution.
    sign : {1, 0, -1} or sequence of these, default=0
        Which tail is abnormal: 1 the upper (bright), -1 the lower (dark), 0 both. One for all scored
        contrasts, or one for each.
    n_components : int, default=3
        Gaussians with full covariances.
    smoothing : float or sequence of float, default=0.75
        Standard deviation of the Gaussian that smooths minus log p inside the foreground, pixels; 0 for none.
        Maps of several are averaged.
    trimmed : float in [0, 0.5], default=0.0
        Share of the training pixels, those most abnormal, that the mixture is fitted without: for slices that
        may hold lesions. 0.1 for a patient's own volume.
    reg_covar : float, default=1e-3
        Added to the variances, in units of each contrast's variance over the pixels.
    max_iter : int, default=100
        Most steps of expectation maximization.
    max_pixels : int, default=40_000
        Pixels, drawn from the whole training foreground, that the mixture is fitted to.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
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
    offset_ : float
        Threshold of ``predict``.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.reconstruction.ConditionalMixtureReconstructor : The conditional mean as a reference for any scorer.
    MixtureScorer : The joint density of the contrasts instead of tails of one.
    skad.SingleSubjectDetector : This scorer fitted to every patient's own volume, without normal scans.

    Notes
    -----
    ``transform`` gives the quantile residual z of every scored contrast (Dunn and Smyth 1996), with
    :math:`\Phi(z)` the conditional distribution function: standard normal on normal pixels, and with one
    component the least-squares residual in units of its standard deviation. The score of one contrast is
    :math:`\log \Phi(-z)` for sign 1; for sign 0 twice the smaller tail is taken. The sum s of minus log p
    over F contrasts becomes Fisher's p-value, :math:`e^{-s} \sum_{j<F} s^j / j!`.

    A missing contrast is marginalized exactly, as a given one and as a scored one: p-values of slices with
    and without it are comparable. An image of one contrast has the tail of its marginal distribution.

    Contrasts are indices because an array has no names; `for_contrasts` makes the choice by name, where names
    are known.

    References
    ----------
    Van Leemput et al., Automated segmentation of multiple sclerosis lesions by model outlier detection, IEEE
    Trans. Med. Imaging 20(8), 2001. Dunn, Smyth, Randomized quantile residuals, J. Comput. Graph. Stat. 5(3),
    1996. Fisher, Statistical Methods for Research Workers, 4th edition 1932, section 21.1.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import ConditionalMixtureScorer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(4, 2, 12, 16))
    >>> X[:, 1] += X[:, 0]
    >>> scorer = ConditionalMixtureScorer(contrast=1, sign=1, n_components=1, random_state=0).fit(X)
    >>> scorer.score_samples(X).shape, scorer.transform(X).shape
    ((4, 12, 16), (4, 1, 12, 16))
    """

    _accepts = "images"
    _missing_contrast = True
    _parameter_constraints = {
        "contrast": [Interval(Integral, 0, None, closed="left"), "array-like", None],
        "given": ["array-like", None],
        "sign": [Options(Integral, {1, 0, -1}), "array-like"],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="left"), "array-like"],
        "trimmed": [Interval(Real, 0, 0.5, closed="both")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_pixels": [Interval(Integral, 2, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        contrast=None,
        given=None,
        sign=0,
        n_components=3,
        smoothing=0.75,
        trimmed=0.0,
        reg_covar=1e-3,
        max_iter=100,
        max_pixels=40_000,
        contamination=0.01,
        random_state=None,
    ):
        self.contrast = contrast
        self.given = given
        self.sign = sign
        self.n_components = n_components
        self.smoothing = smoothing
        self.trimmed = trimmed
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.max_pixels = max_pixels
        self.contamination = contamination
        self.random_state = random_state

    @classmethod
    def for_contrasts(cls, names: Sequence[str], **params: Any) -> Self:
        """A scorer with the choice of contrasts that suits most lesions of the brain.

        Lesions are bright on FLAIR (without FLAIR: on T2-weighted images) for a voxel with their T1-weighted
        intensities. Other contrasts are not conditioned on: given that a voxel is bright on T2, it is
        expected to be on FLAIR. Without FLAIR or T2 all contrasts are scored, both tails.

        Parameters
        ----------
        names : sequence of str
            Of the contrasts, in the order of the images, such as ``volume.contrasts``.
        **params
            Other parameters.

        Returns
        -------
        ConditionalMixtureScorer
            Unfitted.

        Examples
        --------
        >>> from skad.scoring import ConditionalMixtureScorer
        >>> ConditionalMixtureScorer.for_contrasts(["T1w", "FLAIR", "T2w"])
        ConditionalMixtureScorer(contrast=1, given=[0], sign=1)
        """
        bright = with_bright_lesions(names)
        if not bright:
            return cls(**params)
        t1_weighted = [index for index, name in enumerate(names) if is_t1_weighted(name)]
        chosen = {"contrast": bright[0], "given": t1_weighted or None, "sign": 1}
        return cls(**chosen | params)

    def describe(self, names: Sequence[str]) -> str:
        """What counts as abnormal, in words.

        Parameters
        ----------
        names : sequence of str
            Of the contrasts, in the order of the images.

        Returns
        -------
        str

        Examples
        --------
        >>> from skad.scoring import ConditionalMixtureScorer
        >>> ConditionalMixtureScorer(contrast=1, sign=1).describe(["T1w", "FLAIR"])
        'FLAIR brighter than expected given T1w'
        >>> ConditionalMixtureScorer().describe(["T1w"])
        'T1w brighter or darker than expected'
        """
        names = list(names)
        everything = range(len(names))
        scored = everything if self.contrast is None else np.atleast_1d(self.contrast).tolist()
        given = everything if self.given is None else self.given
        parts = []
        for index, sign in zip(scored, np.broadcast_to(self.sign, len(scored)).tolist(), strict=True):
            others = [names[other] for other in given if other != index]
            parts.append(
                f"{names[index]} {_SIGNS[sign]} than expected"
                + f" given {' and '.join(others)}" * bool(others)
            )
        return ", or ".join(parts)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit the mixture to the foreground pixels of normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background. With ``trimmed`` slices of patients may be among them.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A contrast that X does not have, as many signs as there are no contrasts, or fewer different
            foreground pixels than components.
        """
        X = self._check_fit_input(X)
        self._check_contrasts()
        with seeded(self.random_state) as generator:
            pixels = sample_pixels(X, self.max_pixels, generator)
            self.weights_, self.means_, self.covariances_ = fit_trimmed_mixture(
                pixels,
                self.n_components,
                self._anomaly_under,
                trimmed=self.trimmed,
                reg_covar=self.reg_covar,
                max_iter=self.max_iter,
                seed=int(generator.integers(2**31)),
            )
        return self._fit_offset(X)

    def _check_contrasts(self):
        known = range(self.n_contrasts_in_)
        for name, indices in (("contrast", self._scored()), ("given", self.given or ())):
            if any(index not in known for index in indices):
                raise ValueError(
                    f"{name} should be indices from 0 to {self.n_contrasts_in_ - 1}, "
                    f"got {getattr(self, name)}."
                )
        if not self._scored():
            raise ValueError("contrast should name at least one contrast, got none.")
        if np.ndim(self.sign) and len(self.sign) != len(self._scored()):
            raise ValueError(
                f"sign should be one number or one for each of {len(self._scored())} contrasts, "
                f"got {self.sign}."
            )

    def _scored(self):
        """Indices of the contrasts that are scored."""
        if self.contrast is None:
            return list(range(self.n_contrasts_in_))
        return [int(index) for index in np.atleast_1d(self.contrast)]

    def _anomaly_under(self, mixture, pixels):
        everything = range(self.n_contrasts_in_)
        conditionals = condition_on_others(mixture, self._scored(), everything, self.given)
        residuals = np.array([conditional.quantile_residual(pixels) for conditional in conditionals])
        return fisher_surprise(_surprise(residuals, self.sign))

    def _features(self, X):
        mixture = self.weights_, self.means_, self.covariances_
        scored = self._scored()
        residuals = conditional_maps(ConditionalMixture.quantile_residual, mixture, X, scored, self.given)
        residuals[missing_contrasts(X)[:, scored]] = 0
        return residuals

    def _score(self, X):
        absent = missing_contrasts(X)[:, self._scored()]
        if absent.all(axis=1).any():
            raise ValueError(
                f"X[{int(absent.all(axis=1).argmax())}] lacks every contrast that is scored "
                f"(contrast={self.contrast}); leave the slice out or score others."
            )
        surprise = _surprise(np.moveaxis(self._features(X), 1, 0), self.sign)
        surprise[absent.T] = 0
        anomaly = np.empty(surprise.shape[1:], dtype=np.float32)
        for n_missing in np.unique(absent.sum(axis=1)):
            rows = absent.sum(axis=1) == n_missing
            anomaly[rows] = fisher_surprise(surprise[:, rows], len(surprise) - n_missing)
        anomaly[~foreground_of(X)] = np.nan
        return -np.mean(
            [smooth_foreground(anomaly, sigma) for sigma in np.atleast_1d(self.smoothing)], axis=0
        )


def _surprise(residuals, sign):
    """Minus log p of quantile residuals of shape (n_contrasts, ...)."""
    sign = np.broadcast_to(sign, len(residuals)).reshape(-1, *[1] * (residuals.ndim - 1))
    two_sided = -np.log(2) - log_ndtr(-np.abs(residuals))
    return np.where(sign == 0, two_sided, -log_ndtr(-sign * residuals))


def fisher_surprise(surprise, n_tests=None):
    """Minus log p of Fisher's combination of independent tests.

    Parameters
    ----------
    surprise : ndarray of shape (n_contrasts, ...)
        Minus log p of each, natural logarithm.
    n_tests : int, default=None
        How many of them are tests, the others being 0; None takes all.

    Returns
    -------
    ndarray of shape (...)
        Exponentially distributed with mean 1 where the p-values are uniform.

    Examples
    --------
    >>> import numpy as np
    >>> fisher_surprise(np.array([[2.0]])), fisher_surprise(np.array([[2.0], [3.0]])).round(3)
    (array([2.]), array([3.208]))
    """
    total = surprise.sum(axis=0)
    orders = np.arange(len(surprise) if n_tests is None else n_tests).reshape(-1, *[1] * total.ndim)
    return total - logsumexp(xlogy(orders, total) - gammaln(orders + 1), axis=0)
