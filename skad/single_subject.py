"""Anomaly maps of a patient from the patient's own volume: nothing has to be learned from others."""

import warnings
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import clone

from skad.calibration import UnlikeTrainingWarning
from skad.calibration.profile import LARGEST_BRAIN_ML, summarize_scan
from skad.detector import VolumeAnomalyDetector
from skad.io import Volume
from skad.scoring import ConditionalMixtureScorer
from skad.utils.typing import PathLike

TRIMMED = 0.2  # share of a volume's pixels that the default scorer is fitted without


class SingleSubjectDetector(VolumeAnomalyDetector):
    """Detect anomalies in a volume with a scorer fitted robustly to that volume alone.

    What scikit-learn calls outlier detection, where `VolumeAnomalyDetector` is novelty detection: most voxels
    of a patient are normal, and a robust fit leaves the others out. With ``cohort`` a second scorer learns
    from normal scans as usual, and of the two maps the less abnormal value is taken: what is ordinary for
    the patient's scanner, or for a brain, is no lesion.

    Parameters
    ----------
    pipeline : estimator, default=None
        Scorer of slices; a clone is fitted to all slices of each volume, lesions included, so its fit should
        be robust. None takes ``ConditionalMixtureScorer.for_contrasts(contrasts_, trimmed=0.2)``.
    cohort : estimator, default=None
        Scorer of slices that `fit` fits to the volumes' lesion-free slices. Its scores should be in the unit
        of those of `pipeline`, as log-probabilities are. None needs no normal scans.
    preprocessor : VolumePreprocessor, default=None
        None is ``VolumePreprocessor()``.
    prevalence_smoothing : float, default=24.0
        Standard deviation of the neighborhoods in which the prevalence of lesions is estimated, mm, see
        :class:`VolumeAnomalyDetector`; 0 where scores are no logarithms of p-values.
    verbose : int or bool, default=False
        Progress bar while volumes are read.

    Attributes
    ----------
    pipeline_ : estimator
        What is cloned and fitted for every volume.
    cohort_ : estimator
        Fitted to the cohort; only with `cohort`.
    preprocessor_ : VolumePreprocessor
        Fitted.
    contrasts_ : tuple of str
        The contrasts that a volume must have, by name.
    n_slices_ : int
        Slices that `cohort_` learned from; 0 without.

    See Also
    --------
    VolumeAnomalyDetector : Learns from normal scans only.
    skad.scoring.ConditionalMixtureScorer : The default scorer.

    Notes
    -----
    A lesion that takes up more of the volume than is trimmed, or whose intensities are those of a healthy
    tissue, is part of what is fitted and is not found. Every map is relative to its own patient, so that a
    score says nothing across patients; calibrate with :class:`skad.calibration.ConformalCalibrator`.

    It scores whole volumes, not slices, because a slice alone does not tell which others are of the same
    patient: scikit-learn passes no ``groups`` to ``score_samples``, and a scorer whose score of a slice
    depended on the other slices in X would break cross-validation and out-of-core scoring.

    References
    ----------
    Garcia-Lorenzo et al., Trimmed-likelihood estimation for focal lesions and tissue segmentation in
    multisequence MRI for multiple sclerosis, IEEE Trans. Med. Imaging 30(8), 2011.

    Examples
    --------
    >>> from skad import SingleSubjectDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> volumes = make_phantom(n_subjects=1, shape=(24, 28, 8), lesion="glioma", random_state=0)
    >>> detector = SingleSubjectDetector(preprocessor=VolumePreprocessor(size=(32, 32))).fit(volumes)
    >>> detector.score_volume(volumes[0]).shape
    (24, 28, 8)
    """

    def __init__(
        self, pipeline=None, *, cohort=None, preprocessor=None, prevalence_smoothing=24.0, verbose=False
    ):
        super().__init__(
            pipeline, preprocessor=preprocessor, prevalence_smoothing=prevalence_smoothing, verbose=verbose
        )
        self.cohort = cohort

    def fit(self, volumes: Sequence[Volume], y: object = None, *, out: PathLike | None = None) -> Self:
        """Learn the contrasts' names and, with ``cohort``, from the slices that show no lesion.

        Parameters
        ----------
        volumes : list of Volume
            The volumes to score will do where there is no `cohort`.
        y : ignored
        out : path-like, default=None
            As in :meth:`VolumeAnomalyDetector.fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Names the subject or file; with `cohort` also where every slice has a lesion.
        """
        volumes = self._fit_preprocessor(volumes)
        self.pipeline_ = (
            ConditionalMixtureScorer.for_contrasts(self.contrasts_, trimmed=TRIMMED, random_state=0)
            if self.pipeline is None
            else clone(self.pipeline)
        )
        self.n_slices_ = 0
        if self.cohort is not None:
            X = self._normal_slices(volumes, out).X
            self.cohort_ = clone(self.cohort).fit(X, None)
            self.n_slices_ = len(X)
        self.preprocessor_.set_params(n_jobs=None)
        return self

    def _anomaly(self, X):
        anomaly = -clone(self.pipeline_).fit(X).score_samples(X)
        return np.minimum(anomaly, -self.cohort_.score_samples(X)) if self.cohort is not None else anomaly

    def _warn_if_unlike_training(self, stack):
        """Compare with the cohort or, without one, with the largest brains."""
        super()._warn_if_unlike_training(stack)
        measured, volume = summarize_scan(stack).volume_ml, stack.volumes[0]
        if self.cohort is None and measured > LARGEST_BRAIN_ML:
            remedy = "; run `skad prepare`, or give a brain mask."
            if volume.has_mask:
                remedy = " in spite of the brain mask, or the voxel size is wrong."
            warnings.warn(
                f"The foreground of subject {volume.subject!r} measures {measured:.0f} mL, a brain at most "
                f"{LARGEST_BRAIN_ML:.0f} mL: the skull is probably still on{remedy}",
                UnlikeTrainingWarning,
                stacklevel=3,
            )

    def _allows_missing_contrast(self):
        return False  # the volume is what is learned from
