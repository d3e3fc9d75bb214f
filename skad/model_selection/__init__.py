"""Choosing among detectors: patients kept apart, training on normal slices only, scores without labels."""

from skad.model_selection.cached_fit import CachedFit
from skad.model_selection.pseudo_anomaly import PseudoAnomalyScorer
from skad.model_selection.splitters import NormalTrainSplit, PatientKFold

__all__ = ["CachedFit", "NormalTrainSplit", "PatientKFold", "PseudoAnomalyScorer"]
