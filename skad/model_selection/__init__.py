"""Choosing among detectors: splits that keep patients apart and train on normal slices only."""

from skad.model_selection.splitters import NormalTrainSplit, PatientKFold

__all__ = ["NormalTrainSplit", "PatientKFold"]
