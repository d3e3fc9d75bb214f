"""What an evaluation found."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skad.evaluation.lesions import VOLUME_EDGES, volume_table
from skad.evaluation.scan import ANY, RANKING
from skad.evaluation.statistics import over_subjects
from skad.metrics import ScoreHistogram


@dataclass
class Evaluation:
    """Scores of maps against labels, made by :func:`evaluate` and :func:`evaluate_slices`.

    Attributes
    ----------
    rows : list of dict
        One per scan and label: ``subject``, ``session``, ``label`` ("any", then every class in the scan),
        ``n_abnormal`` and ``n_normal`` foreground voxels, ``roc_auc``, ``average_precision``, ``best_dice``.
        With a threshold: ``dice``, ``sensitivity``, ``specificity``, ``precision`` of the voxels at or above
        it and, for "any", those of connected components: ``n_lesions``, ``n_found``, ``n_false_positives``,
        ``lesion_recall``, ``lesion_precision``, ``lesion_f1``, ``lesion_dice``, ``panoptic_quality``,
        ``surface_dice``. With probabilities: ``calibration_error``. NaN where the scan does not define a
        score.
    pooled : list of dict
        One per label: the same columns over the voxels of all scans together, components excepted.
    lesion_sizes : list of dict
        ROC-AUC of single slices per range of their lesion's pixels: ``smallest_pixels``, ``largest_pixels``,
        ``n_slices``, ``roc_auc``, ``roc_auc_sd``.
    lesions : list of dict
        One per lesion of the labels: ``subject``, ``session``, ``label``, ``n_voxels``, ``volume_mm3``,
        ``largest_pixels``, ``peak_score`` and, with a threshold, ``found`` and ``covered``.
    froc : list of dict
        ``false_positives`` per scan, ``sensitivity`` and ``threshold``; empty unless all maps were given at
        once.
    histogram : ScoreHistogram
        Scores of the voxels of all scans, by class.
    threshold : float or None
        Voxels at or above it count as abnormal; None if there was none or each scan had its own.
    errors : dict of str to Exception
        The scans that could not be evaluated.

    See Also
    --------
    skad.evaluation.evaluate : Scores of maps of volumes.
    skad.evaluation.evaluate_slices : Scores of arrays.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.evaluation import evaluate_slices
    >>> y = np.zeros((2, 7, 8), dtype=int)
    >>> y[:, 2:4, 2:5] = 1
    >>> evaluation = evaluate_slices(y, y + 0.5, groups=["a", "b"])
    >>> [row["roc_auc"] for row in evaluation.pooled if row["label"] == "any"]
    [1.0]
    """

    rows: list[dict[str, Any]]
    pooled: list[dict[str, Any]]
    lesion_sizes: list[dict[str, Any]]
    lesions: list[dict[str, Any]]
    froc: list[dict[str, Any]] = field(default_factory=list)
    histogram: ScoreHistogram = field(default_factory=ScoreHistogram)
    threshold: float | None = None
    errors: dict[str, Exception] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the score columns of `rows`."""
        known = dict.fromkeys(name for row in self.rows for name in row)
        return [name for name in known if name not in ("subject", "session", "label")]

    def summary(self) -> list[dict[str, Any]]:
        """Mean, standard deviation over subjects, and the pooled row of every label.

        Returns
        -------
        list of dict
            Columns as in `rows`; ``subject`` is "mean", "sd" or "pooled". Sessions of a subject are averaged
            first; a subject for which a score is not defined is left out of its mean. The deviation is that
            of the population.
        """
        metrics = [name for name in self.metrics if name not in ("n_abnormal", "n_normal")]
        summary = []
        for pooled in self.pooled:
            of_label = [row for row in self.rows if row["label"] == pooled["label"]]
            for name, place in (("mean", 0), ("sd", 1)):
                values = {metric: over_subjects(of_label, metric)[place] for metric in metrics}
                summary.append({"subject": name, "session": "", "label": pooled["label"], **values})
            summary.append({"subject": "pooled", "session": "", **pooled})
        return summary

    def lesions_by_volume(self, edges: tuple[float, ...] = VOLUME_EDGES) -> list[dict[str, Any]]:
        """Lesions found per range of volumes.

        Parameters
        ----------
        edges : tuple of float
            Lower ends of the ranges, mm3, ascending; the last range has no upper end.

        Returns
        -------
        list of dict
            ``smallest_mm3``, ``below_mm3``, ``n_lesions``, ``n_found``, ``recall``; of ranges with lesions.
        """
        return volume_table(self.lesions, edges)

    def roc_curves(self) -> dict[str, tuple[Any, Any, float]]:
        """Pooled ROC curve (false, true positive rates, area) of "any" and, if there are several, classes."""
        classes = [label for label in self.histogram.labels if label > 0]
        if not classes or 0 not in self.histogram.labels:
            return {}
        wanted = {ANY: None} | ({f"class {k}": k for k in classes} if len(classes) > 1 else {})
        points = {name: self.histogram.operating_points(label=k) for name, k in wanted.items()}
        return {name: (*each.roc_curve()[:2], each.roc_auc()) for name, each in points.items()}

    def __repr__(self):
        n_subjects = len({row["subject"] for row in self.rows})
        scores = ", ".join(f"{name} {self.pooled[0][name]:.3f}" for name in RANKING) if self.pooled else ""
        return f"<Evaluation of {n_subjects} subjects, pooled {scores}>"


def pooled_of_histogram(histogram, threshold=None):
    """One row per label from a histogram, whose voxels of one bin count as tied; columns as in `rows`."""
    rows = []
    for label in (None, *(k for k in histogram.labels if k > 0)):
        labels = [k for k in histogram.labels if k > 0] if label is None else [label]
        n_abnormal = int(sum(histogram.counts(k).sum() for k in labels))
        row = {"label": label or ANY, "n_abnormal": n_abnormal, "n_normal": int(histogram.counts(0).sum())}
        defined = row["n_abnormal"] and row["n_normal"]
        row |= {name: getattr(histogram, name)(label=label) if defined else np.nan for name in RANKING}
        rows.append(row)
    return rows
