"""Thresholds with a promise, from normal patients alone, and a warning when the promise no longer applies."""

from skad.calibration.calibrator import ConformalCalibrator
from skad.calibration.drift import DriftWarning, drift_p_value

__all__ = ["ConformalCalibrator", "DriftWarning", "drift_p_value"]
