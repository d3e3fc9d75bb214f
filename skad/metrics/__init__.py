"""Scores of anomaly maps over foreground pixels: exact and streaming, per patient, class and lesion."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.metrics.calibration_error import foreground_calibration_error
    from skad.metrics.fidelity import overlap_score, quality_score
    from skad.metrics.foreground import UndefinedScoreError
    from skad.metrics.groups import per_group
    from skad.metrics.histogram import ScoreHistogram
    from skad.metrics.instances import lesionwise_scores, panoptic_quality
    from skad.metrics.lesion import lesion_froc, lesion_size_report
    from skad.metrics.mean_roc import mean_roc_curve
    from skad.metrics.pixel import (
        foreground_average_precision_score,
        foreground_best_dice_score,
        foreground_best_dice_threshold,
        foreground_roc_auc_score,
        foreground_roc_curve,
    )
    from skad.metrics.report import classwise_report, foreground_rates
    from skad.metrics.scorers import (
        foreground_average_precision,
        foreground_best_dice,
        foreground_roc_auc,
        make_map_scorer,
    )
    from skad.metrics.surface import surface_dice
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "ScoreHistogram",
    "UndefinedScoreError",
    "classwise_report",
    "foreground_average_precision",
    "foreground_average_precision_score",
    "foreground_best_dice",
    "foreground_best_dice_score",
    "foreground_best_dice_threshold",
    "foreground_calibration_error",
    "foreground_rates",
    "foreground_roc_auc",
    "foreground_roc_auc_score",
    "foreground_roc_curve",
    "lesion_froc",
    "lesion_size_report",
    "lesionwise_scores",
    "make_map_scorer",
    "mean_roc_curve",
    "overlap_score",
    "panoptic_quality",
    "per_group",
    "quality_score",
    "surface_dice",
]
