"""Pair (or image) -> normality of every pixel."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.scoring.atlas import AtlasScorer
    from skad.scoring.conditional_mixture import ConditionalMixtureScorer
    from skad.scoring.dagmm import DAGMMScorer
    from skad.scoring.deep_svdd import DeepSVDDScorer
    from skad.scoring.ensemble import EnsembleScorer
    from skad.scoring.gaussian_mixture import MixtureScorer
    from skad.scoring.intensity import IntensityScorer
    from skad.scoring.joint_drgmm import JointDRGMM
    from skad.scoring.lesion_ensemble import make_lesion_ensemble
    from skad.scoring.patch_embedding import PatchEmbeddingScorer
    from skad.scoring.residual import ResidualScorer
    from skad.scoring.sklearn_scorer import PyODScorer, SklearnScorer
    from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "AtlasScorer",
    "ConditionalMixtureScorer",
    "DAGMMScorer",
    "DeepSVDDScorer",
    "EnsembleScorer",
    "IntensityScorer",
    "JointDRGMM",
    "MixtureScorer",
    "PatchEmbeddingScorer",
    "PyODScorer",
    "ResidualScorer",
    "SklearnScorer",
    "SyntheticAnomalyScorer",
    "make_lesion_ensemble",
]
