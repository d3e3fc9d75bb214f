"""The two kinds of estimators and the contract between them: the pair of image and normal reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import OutlierMixin, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import InputTags, get_tags
from sklearn.utils.validation import check_is_fitted

from skad.nn.residuals import residual
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.out_of_core import map_chunks
from skad.utils.pickling import StableStateMixin
from skad.utils.typing import Array, FloatArray, IntArray
from skad.utils.validation import (
    check_images,
    check_images_or_neighbors,
    check_images_or_pairs,
    check_images_or_series,
    check_pairs,
    foreground_of,
    rows_with_foreground,
)

_NORMAL_SLICES = 256  # that decide the default threshold


@dataclass(slots=True)
class ImageInputTags(InputTags):
    """What an estimator of skad takes, beside scikit-learn's tags.

    Parameters
    ----------
    images : bool, default=True
        Whether X (n, C, H, W) is accepted.
    pairs : bool, default=False
        Whether P (n, 2, C, H, W) is accepted.
    neighbors : bool, default=False
        Whether slices with the ones below and above them (n, 3, C, H, W) are accepted.
    missing_contrast : bool, default=False
        Whether a contrast may be missing (NaN over a whole slice) at score time.
    """

    images: bool = True
    pairs: bool = False
    neighbors: bool = False
    missing_contrast: bool = False


class FeatureMaps(np.ndarray):
    """Features of a scorer as a pipeline hands them on: no images, though an array of the same axes."""


class ImageEstimatorMixin(DocumentationLinkMixin, StableStateMixin):
    """What both kinds share: tags, validation, the learned background."""

    # "images", "pairs", "both"; "neighbors" (images, and slices with neighbors), "series" (all three)
    _accepts = "images"
    _missing_contrast = False

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = ImageInputTags(
            two_d_array=False,
            allow_nan=True,
            images=self._accepts != "pairs",
            pairs=self._accepts in ("pairs", "both", "series"),
            neighbors=self._accepts in ("neighbors", "series"),
            missing_contrast=self._missing_contrast,
        )
        tags.target_tags.required = False
        return tags

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Array:
        """Names of the contrasts.

        Parameters
        ----------
        input_features : sequence of str of length n_contrasts, default=None
            Names of the contrasts of X; None gives "contrast0", "contrast1", ...

        Returns
        -------
        ndarray of str, shape (n_contrasts,)
        """
        check_is_fitted(self)
        names = (
            [f"contrast{i}" for i in range(self.n_contrasts_in_)]
            if input_features is None
            else list(input_features)
        )
        if len(names) != self.n_contrasts_in_:
            raise ValueError(
                f"input_features should name {self.n_contrasts_in_} contrasts, got {len(names)}."
            )
        return np.asarray(names, dtype=object)

    def _check_fit_input(self, X):
        """Validate training data and learn ``n_contrasts_in_`` and ``background_``."""
        X = _CHECKS[self._accepts](X)
        observed = observed_images(X)
        self._check_warm_start(observed.shape[1])
        background = _darkest(observed)  # may raise: nothing is learned before
        self.n_contrasts_in_ = observed.shape[1]
        self.background_ = background
        return X

    def _check_warm_start(self, n_contrasts):
        known = getattr(self, "n_contrasts_in_", n_contrasts)
        if getattr(self, "warm_start", False) and known != n_contrasts:
            raise ValueError(
                f"warm_start=True continues from a fit with {known} contrasts, got {n_contrasts}; "
                "set warm_start=False."
            )

    def _check_score_input(self, X):
        check_is_fitted(self)
        return _CHECKS[self._accepts](
            X, n_contrasts=self.n_contrasts_in_, allow_missing=self._missing_contrast
        )


class ReconstructorMixin(ImageEstimatorMixin, TransformerMixin):
    """Image -> pair of the image and its normal reference.

    A subclass implements ``fit``, which learns ``module_`` at its end (what has none overrides
    ``__sklearn_is_fitted__``), and ``_reconstruct(X)``, which returns the reference of validated float32
    images, shape (n, C, H, W); what it says in the background does not matter. Images on disk (a memory map)
    come in chunks. One that accepts slices with their neighbors (n, 3, C, H, W) gives the reference of the
    slices.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # data frames hold no images

    def _check_fit_input(self, X):
        if isinstance(X, FeatureMaps):
            name = type(self).__name__
            raise ValueError(
                f"{name} learns from images, got the features of a scorer: put it before the scorer, "
                f"as in make_pipeline({name}(), scorer)."
            )
        return super()._check_fit_input(X)

    def reconstruct(self, X: Array) -> FloatArray:
        """The normal reference of every image.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_contrasts, height, width)
            NaN in the background.
        """
        return map_chunks(self._reference, self._check_score_input(X))

    def transform(self, X: Array) -> FloatArray:
        """Every image with its normal reference.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape (n_samples, 2, n_contrasts, height, width)
            ``[:, 0]`` the image as observed, ``[:, 1]`` its reference; NaN in the background.
        """
        return map_chunks(self._pairs, self._check_score_input(X))

    def _pairs(self, X):
        return np.stack([observed_images(X), self._reference(X)], axis=1)

    def _reference(self, X):
        reference = np.asarray(self._reconstruct(X), dtype=np.float32)
        return np.where(foreground_of(observed_images(X))[:, None], reference, np.float32(np.nan))

    def score_samples(self, X: Array) -> FloatArray:
        """Minus the mean absolute residual over the contrasts.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)

        Returns
        -------
        ndarray of float32, shape (n_samples, height, width)
            High is normal; NaN in the background. A missing contrast counts as zero residual.
        """
        return map_chunks(self._normality, self._check_score_input(X))

    def _normality(self, X):
        residuals = residual(observed_images(X), self._reference(X))
        differences = np.nan_to_num(residuals)  # 0 where a contrast is missing
        return _blank(-differences.mean(axis=1), X)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "module_")


class PixelScorerMixin(ImageEstimatorMixin, OutlierMixin):
    """Pair (or image) -> normality of every pixel.

    A subclass implements ``fit`` (ending in ``_fit_offset``) and ``_score(X)`` -> (n, H, W), high is normal;
    ``_features(X)`` -> (n, F, H, W) are the features that the score is computed from, by default the score
    itself. What they say in the background does not matter. Input on disk (a memory map) comes in chunks. A
    scorer of images, which needs no reference, sets ``_accepts = "images"``.
    """

    _accepts = "pairs"

    def _check_fit_input(self, X):
        if isinstance(X, FeatureMaps) and self._accepts == "pairs":
            raise ValueError(
                f"{type(self).__name__} compares images with references, got the features of another scorer: "
                "a pipeline holds one scorer, at its end; EnsembleScorer combines several."
            )
        return super()._check_fit_input(X)

    def score_samples(self, X: Array) -> FloatArray:
        """Normality of every pixel.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2, n_contrasts, height, width)
            Pairs of image and reference; or images (n_samples, n_contrasts, height, width) where the method
            needs no reference.

        Returns
        -------
        ndarray of float32, shape (n_samples, height, width)
            High is normal; NaN in the background.
        """
        return map_chunks(self._normality, self._check_score_input(X))

    def _normality(self, X):
        return _blank(np.asarray(self._score(X), dtype=np.float32), X)

    def transform(self, X: Array) -> FloatArray:
        """The features the score is computed from.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_features, height, width)
            NaN in the background.
        """
        return map_chunks(self._visible_features, self._check_score_input(X))

    def _features(self, X):
        return np.asarray(self._score(X))[:, None]

    def _visible_features(self, X):
        features = np.asarray(self._features(X), dtype=np.float32)
        return np.where(foreground_of(observed_images(X))[:, None], features, np.float32(np.nan))

    def fit_transform(self, X: Array, y: object = None) -> FloatArray:
        """Fit, then give the features of X, as a pipeline asks of a step that is not its last.

        Parameters
        ----------
        X : array-like
            As in `fit`.
        y : ignored

        Returns
        -------
        FeatureMaps of float32, shape (n_samples, n_features, height, width)
            An ndarray that a reconstructor refuses to learn from.
        """
        return self.fit(X, y).transform(X).view(FeatureMaps)

    def decision_function(self, X: Array) -> FloatArray:
        """``score_samples - offset_``, shape (n_samples, height, width): negative where abnormal."""
        return self.score_samples(X) - np.float32(self.offset_)

    def predict(self, X: Array) -> IntArray:
        """+1 normal, -1 abnormal, 0 background: int8, shape (n_samples, height, width)."""
        decision = self.decision_function(X)
        labels = np.where(decision < 0, -1, 1)
        return np.where(np.isnan(decision), 0, labels).astype(np.int8)

    def _fit_offset(self, X, n_slices=_NORMAL_SLICES):
        """Set ``offset_`` so that about ``contamination`` of the training foreground falls below it."""
        return self._set_offset(self._normality(normal_sample(X, n_slices)))

    def _scores_as_new(self, X):
        """Scores of training slices, such as new slices would get."""
        return self.score_samples(normal_sample(X))

    def _set_offset(self, normality):
        self.offset_ = float(np.nanquantile(normality, self.contamination))
        return self

    def __sklearn_is_fitted__(self):
        return hasattr(self, "offset_")


def takes_pairs(estimator: object) -> bool:
    """Whether an estimator's input may be a pair, told by its tags."""
    return getattr(get_tags(estimator).input_tags, "pairs", False)


def takes_neighbors(estimator: object) -> bool:
    """Whether an estimator, or the first step of a pipeline, takes slices with those below and above them."""
    if isinstance(estimator, Pipeline):
        return takes_neighbors(estimator[0])
    return getattr(get_tags(estimator).input_tags, "neighbors", False)


def has_neighbors(X: Array) -> bool:
    """Whether an array holds slices with the ones below and above them."""
    return X.ndim == 5 and X.shape[1] == 3


def observed_images(X: Array) -> Array:
    """The images of pairs, the slices without their neighbors; images as they are."""
    return X if X.ndim == 4 else X[:, 0]


def normal_sample(X: Array, n_slices: int = _NORMAL_SLICES) -> FloatArray:
    """At most so many training slices with foreground, evenly spaced, in memory: they stand for all."""
    visible = rows_with_foreground(X)
    return np.asarray(X[visible[:: -(-len(visible) // n_slices)]], dtype=np.float32)


_CHECKS = {
    "images": check_images,
    "pairs": check_pairs,
    "both": check_images_or_pairs,
    "neighbors": check_images_or_neighbors,
    "series": check_images_or_series,
}


def _blank(scores, X):
    """Scores of images or pairs, with NaN in their background."""
    return np.where(foreground_of(observed_images(X)), scores, np.float32(np.nan))


def _darkest(images):
    """The smallest foreground value of every contrast; slice by slice, so that a memory map stays on disk."""
    darkest = np.fmin.reduce([np.fmin.reduce(image, axis=(1, 2)) for image in images], axis=0)
    if np.isnan(darkest).any():
        raise ValueError("X should have foreground to learn from, got only background (NaN) slices.")
    return darkest.astype(np.float32)
