"""Pair (or image) -> normality of every pixel."""

from skad.scoring.gaussian_mixture import MixtureScorer
from skad.scoring.intensity import IntensityScorer
from skad.scoring.joint_drgmm import JointDRGMM
from skad.scoring.residual import ResidualScorer
from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer

__all__ = ["IntensityScorer", "JointDRGMM", "MixtureScorer", "ResidualScorer", "SyntheticAnomalyScorer"]
