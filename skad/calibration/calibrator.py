"""Masks whose false-positive rate on normal patients is known beforehand."""

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skad.calibration import conformal
from skad.calibration.drift import DriftWarning, drift_p_value, summarize
from skad.calibration.patients import (
    check_normal,
    check_unseen,
    scores_of_slices,
    scores_of_volumes,
    takes_volumes,
    volume_maps,
)
from skad.io.volume import Volume
from skad.io.volumes import list_volumes
from skad.metrics.groups import check_groups
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import Array, FloatArray, IntArray

_SAMPLE = {
    "pixel": conformal.score_tail,
    "patient": conformal.largest_score,
    "volume": conformal.largest_score,  # another name of "patient"
}


class ConformalCalibrator(DocumentationLinkMixin, BaseEstimator):
    """Threshold a fitted detector at a guaranteed false-positive rate on normal patients.

    Guarantee: if a new normal patient is exchangeable with the patients of `fit`, then, averaged over both,
    the share of the new patient's foreground pixels that `predict` calls abnormal (``unit="pixel"``), or the
    probability that it calls any pixel of the patient abnormal (``unit="patient"``), is at most `fpr`.
    It holds for any detector and any number of pixels; it needs ``1 / fpr - 1`` patients, whom the detector
    has not learned from. Theorem and proof: :mod:`skad.calibration.conformal`.

    Parameters
    ----------
    detector : fitted estimator
        With ``score_samples`` on slices, such as a Pipeline; or a `VolumeAnomalyDetector`: `X` is a list of
        `Volume` then, patients are their subjects, and maps are those on the volumes' own grids. It is used
        as it is, not cloned.
    fpr : float in (0, 1), default=0.01
        False-positive rate. It may be changed after `fit`: ``set_params(fpr=0.05)``.
    unit : {"pixel", "patient"}, default="pixel"
        What the rate counts: abnormal pixels of a normal patient, or normal patients with any abnormal pixel.
        "volume" is another name of "patient".
    n_jobs : int or None, default=None
        Number of volumes scored at the same time; slices are passed to the detector all at once.

    Attributes
    ----------
    thresholds_, p_values_ : ndarray of shape (m,)
        The p-value of anomaly scores above a threshold and not above the next.
    summaries_ : ndarray of shape (n_patients, 5)
        Quantiles of each patient's scores, for :meth:`check_drift`.
    n_patients_ : int
        Number of patients that the threshold is calibrated on.

    See Also
    --------
    skad.calibration.drift_p_value : The test behind ``check_drift``.
    skad.evaluation.ScoreProbability : Probabilities fitted on labeled scans.
    skad.plotting.plot_calibration : Shows whether the rate is kept.

    Notes
    -----
    With as few patients as `fpr` needs, only what exceeds nearly all their scores is abnormal: the price of
    the guarantee is that the mean rate may be as low as ``fpr - 2 / (n_patients_ + 1)``. For a useful
    threshold, take several times as many.

    Taking components away from the mask (a smallest lesion size) keeps the guarantee; growing it (hysteresis
    with a lower second threshold) keeps that of ``unit="patient"`` only.

    References
    ----------
    Papadopoulos, Proedrou, Vovk, Gammerman, "Inductive confidence machines for regression", 2002.
    Angelopoulos, Bates, Fisch, Lei, Schuster, "Conformal risk control", 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.calibration import ConformalCalibrator
    >>> from skad.scoring import IntensityScorer
    >>> X = np.arange(8.0).reshape(4, 1, 1, 2)
    >>> detector = IntensityScorer(smoothing=0).fit(X)
    >>> calibrator = ConformalCalibrator(detector, fpr=0.2, unit="patient")
    >>> calibrator = calibrator.fit(X, groups=["a", "b", "c", "d"])
    >>> calibrator.predict(X + 1)
    array([[[ 1,  1]],
           [[ 1,  1]],
           [[ 1,  1]],
           [[ 1, -1]]], dtype=int8)
    """

    _parameter_constraints = {
        "detector": [HasMethods("score_samples"), HasMethods("score_volumes")],
        "fpr": [Interval(Real, 0, 1, closed="neither")],
        "unit": [StrOptions(set(_SAMPLE))],
        "n_jobs": [Integral, None],
    }

    def __init__(self, detector, *, fpr=0.01, unit="pixel", n_jobs=None):
        self.detector = detector
        self.fpr = fpr
        self.unit = unit
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array | Sequence[Volume], y: object = None, *, groups: Array | None = None) -> Self:
        """Score normal patients.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width), or list of Volume
            Normal slices, NaN background: all those of a patient, as they will be when scored.
        y : ignored
        groups : array-like of shape (n_samples,)
            Patient of each slice; not for volumes.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Too few patients for `fpr`, no groups, volumes with a labeled lesion, or volumes that the
            detector has learned from.
        """
        check_is_fitted(self.detector)
        X, groups = self._check_patients(X, groups)
        conformal.check_patients(len(np.unique(groups)), self.fpr)
        if takes_volumes(self.detector):
            check_normal(X)
            check_unseen(self.detector, X)
        samples, summaries = [], []
        for _, scores in self._scores(X, groups):
            samples.append(_SAMPLE[self.unit](scores))
            summaries.append(summarize(scores))
        self.thresholds_, self.p_values_ = conformal.p_value_curve(samples)
        self.summaries_ = np.array(summaries)
        self.n_patients_ = len(samples)
        return self

    @property
    def offset_(self) -> float:
        """Minus the largest anomaly score that is still normal at `fpr`."""
        check_is_fitted(self)
        conformal.check_patients(self.n_patients_, self.fpr)
        return -conformal.threshold_at(self.fpr, self.thresholds_, self.p_values_)

    def score_samples(self, X: Array | Sequence[Volume]) -> FloatArray | list[FloatArray]:
        """The detector's scores, high is normal: (n_samples, height, width), or a list of one per volume."""
        check_is_fitted(self)
        if takes_volumes(self.detector):
            return [-anomaly for _, anomaly in volume_maps(self.detector, list_volumes(X), self.n_jobs)]
        return self.detector.score_samples(X)

    def decision_function(self, X: Array | Sequence[Volume]) -> FloatArray | list[FloatArray]:
        """``score_samples - offset_``: negative where abnormal."""
        offset = self.offset_
        return _each(lambda scores: scores - offset, self.score_samples(X))

    def predict(self, X: Array | Sequence[Volume]) -> IntArray | list[IntArray]:
        """Masks at the false-positive rate `fpr`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width), or list of Volume

        Returns
        -------
        int8 ndarray of shape (n_samples, height, width), or list of one per volume
            +1 normal, -1 abnormal, 0 background.
        """
        return _each(_labels, self.decision_function(X))

    def p_value_map(self, X: Array | Sequence[Volume]) -> FloatArray | list[FloatArray]:
        """p-value of every pixel: with ``unit="patient"`` corrected for all pixels of the patient.

        Returns
        -------
        float32 ndarray of shape (n_samples, height, width), or list of one per volume
            Low is abnormal, at least ``1 / (n_patients_ + 1)``; NaN in the background.
        """
        return _each(lambda scores: self.p_values_of(-scores), self.score_samples(X))

    def p_values_of(self, anomaly: Array) -> FloatArray:
        """p-values of anomaly scores, float32 of their shape."""
        check_is_fitted(self)
        return conformal.p_values_of(anomaly, self.thresholds_, self.p_values_).astype(np.float32)

    def check_drift(
        self, X: Array | Sequence[Volume], *, groups: Array | None = None, level: float = 0.05
    ) -> float:
        """Warn when the scores of new patients no longer look like those of calibration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width), or list of Volume
        groups : array-like of shape (n_samples,), default=None
            Patient of each slice; None takes all slices as one patient's. Not for volumes.
        level : float, default=0.05
            Probability of a false alarm.

        Returns
        -------
        float
            p-value of :func:`skad.calibration.drift_p_value`.

        Notes
        -----
        The level is that of normal patients. Large lesions move the scores of a whole brain, the more so when
        its intensities were normalized together with them, and a cohort of such patients raises the warning
        too.

        Warns
        -----
        DriftWarning
            The p-value is `level` or less.
        """
        check_is_fitted(self)
        if groups is None and not takes_volumes(self.detector):
            groups = np.zeros(len(X), dtype=int)
        X, groups = self._check_patients(X, groups)
        return self.warn_of_drift([summarize(scores) for _, scores in self._scores(X, groups)], level=level)

    def warn_of_drift(self, summaries: Array | Sequence[Array], *, level: float = 0.05) -> float:
        """Do what `check_drift` does with the quantiles of each patient's scores, (n_new_patients, 5)."""
        p_value = drift_p_value(self.summaries_, summaries)
        if p_value <= level:
            warnings.warn(
                f"The scores of these {len(summaries)} patients do not look like those of the "
                f"{self.n_patients_} patients of calibration (p = {p_value:.3f}): unless large lesions "
                f"explain it, fpr={self.fpr:g} does not hold here: calibrate on normal patients of this "
                "scanner.",
                DriftWarning,
                stacklevel=2,
            )
        return p_value

    def _check_patients(self, X, groups):
        if takes_volumes(self.detector):
            volumes = list_volumes(X)
            return volumes, np.array([volume.subject for volume in volumes])
        return X, check_groups(groups, len(X))

    def _scores(self, X, groups):
        if takes_volumes(self.detector):
            return scores_of_volumes(self.detector, X, self.n_jobs)
        return scores_of_slices(self.detector, X, groups)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "thresholds_")


def _each(function, scores):
    return [function(each) for each in scores] if isinstance(scores, list) else function(scores)


def _labels(decision):
    return np.where(np.isnan(decision), 0, np.where(decision < 0, -1, 1)).astype(np.int8)
