"""Any outlier detector or density of scikit-learn or pyod, on the pixels or patches of images or pairs."""

from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from skad.base import ImageEstimatorMixin, PixelScorerMixin
from skad.mixture.fitting import sample_pixels
from skad.nn.residuals import residual
from skad.training import seeded
from skad.utils.typing import Array
from skad.utils.validation import foreground_of

_BLOCK_VALUES = 2**22  # numbers that a detector is given at a time


class SklearnScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: a scikit-learn detector or density applied to the intensities of each pixel or patch.

    Takes images, or pairs: then the detector sees the signed residual (image minus reference), or both image
    and residual.

    Parameters
    ----------
    detector : estimator
        With ``score_samples`` (high is normal: GaussianMixture, KernelDensity, IsolationForest, OneClassSVM,
        EllipticEnvelope, PCA, LocalOutlierFactor with ``novelty=True``, a pipeline that ends in one), or with
        ``decision_function`` (high is normal too). A clone of it is fitted.
    features : {"pixel", "patch"}, default="pixel"
        Rows of the detector's input: the contrasts of a pixel, or of the square around it, contrast by
        contrast.
    patch_size : int, default=5
        Odd width of the square, pixels. Outside the foreground it holds the darkest training intensity of a
        contrast and a residual of 0; beyond the border the image is mirrored.
    pair : {"residual", "both"}, default="residual"
        What is taken of a pair.
    max_pixels : int, default=100_000
        Pixels, drawn from the whole training foreground, that the detector is fitted to.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``. The
        detector's own ``contamination`` does not matter.
    random_state : int, RandomState or None, default=None
        Draws the pixels, and seeds the detector where it (or a part of it) has a ``random_state`` of None.

    Attributes
    ----------
    detector_ : estimator
        Fitted clone.
    fitted_on_pairs_ : bool
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    MixtureScorer : A Gaussian mixture on intensities, on the device.

    Notes
    -----
    All of it is our decision. Memory is bounded by ``max_pixels`` rows in fit and a slice's patches when
    scoring. :func:`skad.save` keeps detectors that consist of arrays; :func:`skad.load` builds the listed
    ones (GaussianMixture, EllipticEnvelope, PCA, ...) by itself and others, such as OneClassSVM, with
    ``trusted=[OneClassSVM]``. Trees and neighbor searches (IsolationForest, KernelDensity,
    LocalOutlierFactor) are not arrays: ``skad.save`` refuses them, joblib keeps them.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> from skad.scoring import SklearnScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16))
    >>> SklearnScorer(GaussianMixture(), random_state=0).fit(X).detector_.means_.shape
    (1, 2)
    """

    _accepts = "both"
    _methods: tuple[str, ...] = ("score_samples", "decision_function")  # the first that the detector has
    _sign = 1  # of the detector's normality
    _parameter_constraints = {
        "detector": [HasMethods(["fit", "get_params"])],
        "features": [StrOptions({"pixel", "patch"})],
        "patch_size": [Interval(Integral, 1, None, closed="left")],
        "pair": [StrOptions({"residual", "both"})],
        "max_pixels": [Interval(Integral, 2, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detector,
        *,
        features="pixel",
        patch_size=5,
        pair="residual",
        max_pixels=100_000,
        contamination=0.01,
        random_state=None,
    ):
        self.detector = detector
        self.features = features
        self.patch_size = patch_size
        self.pair = pair
        self.max_pixels = max_pixels
        self.contamination = contamination
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit a clone of the detector to foreground pixels of normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            Or pairs (n_samples, 2, n_contrasts, height, width) from a reconstructor. NaN background.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            The detector scores nothing new, or ``patch_size`` is even.
        """
        X = self._check_fit_input(X)
        if self.patch_size % 2 == 0:
            raise ValueError(f"patch_size should be an odd width, got {self.patch_size}.")
        with seeded(self.random_state) as generator:
            detector = _with_a_seed(clone(self.detector), int(generator.integers(2**31)))
            self._method(detector)  # may raise: before the detector is fitted
            rows = sample_pixels(_SliceBySlice(self._maps, X), self.max_pixels, generator)
        self.detector_ = detector.fit(rows)
        self.fitted_on_pairs_ = X.ndim == 5
        return self._fit_offset(X)

    def _method(self, detector):
        if isinstance(detector, ImageEstimatorMixin):
            raise ValueError(
                f"detector should take tables of pixels, got {type(detector).__name__}, which takes slices: "
                f"use it without {type(self).__name__}."
            )
        found = [name for name in self._methods if hasattr(detector, name)]
        if not found:
            raise ValueError(
                f"detector should have {' or '.join(self._methods)} for new data, "
                f"got {type(detector).__name__}, which does not."
            )
        return getattr(detector, found[0])

    def _score(self, X):
        score = self._method(self.detector_)
        scores = np.zeros((len(X), *X.shape[-2:]), dtype=np.float32)
        for i, image in enumerate(X):
            maps = self._maps(image)
            inside = ~np.isnan(maps[0])
            if inside.any():
                scores[i][inside] = self._sign * _in_blocks(score, maps[:, inside].T)
        return scores

    def _features(self, X):
        return np.stack([self._maps(image) for image in X])

    def _maps(self, image):
        """What the detector sees of a slice or pair, maps (n_columns, height, width) with NaN background."""
        channels, background = np.asarray(image, dtype=np.float32), self.background_
        if image.ndim == 4:
            observed, difference = channels[0], residual(*channels, "signed")
            channels, background = difference, np.zeros_like(background)
            if self.pair == "both":
                channels = np.concatenate([observed, difference])
                background = np.concatenate([self.background_, background])
        if self.features == "pixel":
            return channels
        inside = foreground_of(channels[None])[0]
        filled = np.where(inside, channels, background[:, None, None])
        return np.where(inside, _patches(filled, self.patch_size), np.float32(np.nan))

    def _check_score_input(self, X):
        X = super()._check_score_input(X)
        if (X.ndim == 5) != self.fitted_on_pairs_:
            fitted, given = ("pairs", "images") if X.ndim == 4 else ("images", "pairs")
            raise ValueError(f"{type(self).__name__} was fitted on {fitted}, got {given} of shape {X.shape}.")
        return X


class PyODScorer(SklearnScorer):
    """Scorer: a PyOD detector applied to the intensities of each pixel or patch.

    As :class:`SklearnScorer`, but ``decision_function`` of the detector is high where abnormal, which is
    pyod's convention. ``pip install skad[bench]`` brings pyod; skad itself does not import it.

    Some detectors of pyod (ECOD, COPOD) rank rows among those they are given with them: there the scores of a
    slice depend on the whole slice.

    Parameters
    ----------
    detector : pyod detector
        For example ``pyod.models.ecod.ECOD()``. A clone of it is fitted.
    features : {"pixel", "patch"}, default="pixel"
        Rows of the detector's input: the contrasts of a pixel, or of the square around it, contrast by
        contrast.
    patch_size : int, default=5
        Odd width of the square, pixels. Outside the foreground it holds the darkest training intensity of a
        contrast and a residual of 0; beyond the border the image is mirrored.
    pair : {"residual", "both"}, default="residual"
        What is taken of a pair.
    max_pixels : int, default=100_000
        Pixels, drawn from the whole training foreground, that the detector is fitted to.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``. The
        detector's own ``contamination`` does not matter.
    random_state : int, RandomState or None, default=None
        Draws the pixels, and seeds the detector where it (or a part of it) has a ``random_state`` of None.

    Attributes
    ----------
    detector_ : pyod detector
        Fitted clone.
    fitted_on_pairs_ : bool
        Whether ``fit`` was given pairs.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    SklearnScorer : The same for detectors of scikit-learn.

    Examples
    --------
    >>> from pyod.models.hbos import HBOS  # doctest: +SKIP
    >>> PyODScorer(HBOS()).fit(X).score_samples(X)  # doctest: +SKIP
    """

    _methods = ("decision_function",)
    _sign = -1


def _in_blocks(score, rows):
    """The scores of float64 rows, a bounded number of values at a time."""
    blocks = gen_batches(len(rows), max(1, _BLOCK_VALUES // rows.shape[1]))
    return np.concatenate([score(rows[block].astype(np.float64)) for block in blocks])


class _SliceBySlice:
    """The feature maps of every slice, made when they are asked for."""

    def __init__(self, function, X):
        self.function, self.X = function, X

    def __iter__(self):
        return map(self.function, self.X)


def _patches(channels, size):
    """The square around every pixel: (n_channels, height, width) to (n_channels * size^2, height, width)."""
    margin = [(0, 0)] + [(size // 2, size // 2)] * 2
    padded = np.pad(channels, margin, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, channels.shape[1:], axis=(1, 2))
    return windows.reshape(-1, *channels.shape[1:])


def _with_a_seed(detector, seed):
    """Every ``random_state`` of None set, so that the detector does not draw from the global generator."""
    params = detector.get_params()
    unseeded = [name for name in params if name.split("__")[-1] == "random_state" and params[name] is None]
    return detector.set_params(**dict.fromkeys(unseeded, seed))
