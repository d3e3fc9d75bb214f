"""Thresholds with a promise, from normal patients alone, and a warning when the promise no longer applies."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.calibration.calibrator import ConformalCalibrator
    from skad.calibration.drift import DriftWarning, drift_p_value
    from skad.calibration.profile import ScanSummary, TrainingProfile, UnlikeTrainingWarning, summarize_scan
    from skad.calibration.training_scans import TrainingScans
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "ConformalCalibrator",
    "DriftWarning",
    "ScanSummary",
    "TrainingProfile",
    "TrainingScans",
    "UnlikeTrainingWarning",
    "drift_p_value",
    "summarize_scan",
]
