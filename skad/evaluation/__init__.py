"""One table of scores: maps against labels, per scan, class and lesion; statistics, and what is no number."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.evaluation.collapse import why_collapsed
    from skad.evaluation.comparison import evaluate, evaluate_slices
    from skad.evaluation.probability import ScoreProbability
    from skad.evaluation.result import Evaluation
    from skad.evaluation.statistics import (
        by_subject,
        confidence_interval,
        holm,
        over_seeds,
        over_subjects,
        paired_comparison,
    )
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "Evaluation",
    "ScoreProbability",
    "by_subject",
    "confidence_interval",
    "evaluate",
    "evaluate_slices",
    "holm",
    "over_seeds",
    "over_subjects",
    "paired_comparison",
    "why_collapsed",
]
