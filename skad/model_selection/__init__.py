"""Choosing among detectors: patients kept apart, training on normal slices only, scores without labels."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.model_selection.cached_fit import CachedFit
    from skad.model_selection.pseudo_anomaly import PseudoAnomalyScorer
    from skad.model_selection.splitters import NormalTrainSplit, PatientKFold
    from skad.model_selection.tuning import rank_configurations, slices_for_search
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "CachedFit",
    "NormalTrainSplit",
    "PatientKFold",
    "PseudoAnomalyScorer",
    "rank_configurations",
    "slices_for_search",
]
