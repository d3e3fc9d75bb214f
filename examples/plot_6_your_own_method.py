"""
A new reconstructor, a new scorer
=================================

What does a method of my own need to take part? A ``fit`` and one hook; contracts, background and signs
come from the mixin. As an example, a detector without a network: the normal reference of a brain is its
mirror image.
"""

# %%
# A reconstructor
# ---------------
# ``_reconstruct`` returns the reference of validated images, NaN background included. Where the mirrored
# brain does not reach there is nothing to compare with, and the image itself stands in.

import numpy as np
from sklearn.base import BaseEstimator

from skad.base import PixelScorerMixin, ReconstructorMixin


class MirrorReconstructor(ReconstructorMixin, BaseEstimator):
    """Normal reference: the other side of the brain."""

    def fit(self, X, y=None):
        """Learn nothing but what every estimator learns: number of contrasts, background."""
        self._check_fit_input(X)
        return self

    def _reconstruct(self, X):
        mirrored = X[..., ::-1]
        return np.where(np.isnan(mirrored), X, mirrored)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "background_")


# %%
# A scorer
# --------
# ``_score`` returns the normality of every pixel, high is normal, and ``_features`` what it is computed
# from; without it the score itself is. ``fit`` ends in ``_fit_offset``, which sets the threshold of
# ``predict``. This one measures residuals in units of what they scatter by on normal slices. A scorer that
# needs no reference sets ``_accepts = "images"`` in its class and gets images in place of pairs.


class MahalanobisScorer(PixelScorerMixin, BaseEstimator):
    """Minus the squared Mahalanobis distance of a pixel's residuals.

    Parameters
    ----------
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal.
    """

    def __init__(self, *, contamination=0.01):
        self.contamination = contamination

    def fit(self, X, y=None):
        """Learn the second moments of the residuals of normal pairs."""
        P = self._check_fit_input(X)
        residuals = np.nan_to_num(self._features(P), nan=0.0).astype(float)
        pixels = np.moveaxis(residuals, 1, -1).reshape(-1, self.n_contrasts_in_)
        self.precision_ = np.linalg.pinv(pixels.T @ pixels / max(1, np.count_nonzero(pixels.any(axis=1))))
        return self._fit_offset(P)

    def _score(self, X):
        return -np.einsum("ncij,cd,ndij->nij", *(self._features(X), self.precision_, self._features(X)))

    def _features(self, X):
        return X[:, 0] - X[:, 1]


# %%
# Does it keep the contract? The same checks that every estimator of skad passes: clone, NaN background,
# memory maps, order and subsets of slices, pickle, the sign, and so on. Silence means yes.

from skad.utils.estimator_checks import check_estimator

check_estimator(MirrorReconstructor())
check_estimator(MahalanobisScorer())

# %%
# And it joins everything else: pipelines, searches, calibration, :class:`~skad.VolumeAnomalyDetector`.

from sklearn.pipeline import make_pipeline

from skad.datasets import make_phantom
from skad.plotting import plot_slices
from skad.preprocessing import VolumePreprocessor

prepare = VolumePreprocessor(size=(80, 64))
normal = prepare.fit_transform(make_phantom(4, shape=(64, 80, 12), lesion=None, random_state=0))
patient = prepare.transform(make_phantom(1, shape=(64, 80, 12), lesion="glioma", random_state=2))

detector = make_pipeline(MirrorReconstructor(), MahalanobisScorer()).fit(normal.X)
flair = detector[0].transform(patient.X)[:, :, 1]
figure = plot_slices(
    flair, -detector.score_samples(patient.X), labels=patient.y, contrasts=["FLAIR", "mirrored"], n_slices=3
)
figure

# %%
# The mirror image of a lesion lights up on the healthy side too: that is the method, not the contract.
# (The phantom grows out of a symmetric template; people are less symmetric.) Methods with a network take
# training, devices, seeds and checkpoints from :class:`skad.training.Training`; :doc:`/contributing`
# says where the file goes.
