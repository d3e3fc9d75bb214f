"""Tables and curves of a report: how the maps compare with the labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from skad.derivatives import Record
from skad.evaluation import Evaluation
from skad.metrics import ScoreHistogram
from skad.plotting import plot_precision_recall, plot_roc, save_figure
from skad.utils.tables import read_table, write_table
from skad.utils.typing import PathLike

EVALUATION, ROC = "evaluation.csv", "roc.png"  # of `skad evaluate`
LESION_SIZES, LESION_VOLUMES = "lesion_sizes.csv", "lesion_volumes.csv"  # too
METRIC_NAMES = {"roc_auc": "ROC-AUC", "average_precision": "average precision", "best_dice": "best Dice"}
ANY, RATES = "any", ("dice", "sensitivity", "n_false_positives")
_SUMMARY = ("mean", "sd", "pooled")


@dataclass(frozen=True)
class LabelScores:
    """What a report shows of an evaluation.

    Attributes
    ----------
    rows : sequence of dict
        Of scans and labels, and of their mean, deviation and pooled score.
    sizes : sequence of dict
        Per range of lesion sizes.
    roc : bytes or None
        A picture of the curves.
    """

    rows: Sequence[dict[str, Any]] = ()
    sizes: Sequence[dict[str, Any]] = ()
    roc: bytes | None = None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        """From what :func:`skad.evaluation.evaluate` found."""
        return cls([*evaluation.rows, *evaluation.summary()], evaluation.lesion_sizes)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From what ``skad evaluate`` left in a folder of maps, if anything."""
        roc = folder / ROC
        return cls(
            read_table(folder / EVALUATION),
            read_table(folder / LESION_SIZES),
            roc.read_bytes() if roc.exists() else None,
        )

    def rates(self, record: Record) -> dict[str, float]:
        """Dice, sensitivity and false lesions of a map at its threshold, where they were computed."""
        of = (record.subject, record.session, ANY)
        for row in self.rows:
            if (row["subject"], row.get("session") or "", row["label"]) == of:
                return {name: row[name] for name in RATES if isinstance(row.get(name), int | float)}
        return {}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """By heading: the scores over subjects per class, and per lesion size."""
        classes = sorted({row["label"] for row in self.rows}, key=lambda label: (label != "any", label))
        classes = classes[:1] if len(classes) == 2 else classes  # the only class is any
        per_class = [
            _class_row(label, [row for row in self.rows if row["label"] == label]) for label in classes
        ]
        tables = {
            "Against the labels, per class": per_class,
            "Against the labels, per lesion size": [_size_row(row) for row in self.sizes],
        }
        return {heading: rows for heading, rows in tables.items() if rows}


def write_evaluation(evaluation: Evaluation, folder: PathLike) -> dict[Path, list[dict[str, Any]]]:
    """Write the tables of an evaluation, and a picture of its ROC curves, where a report finds them.

    Parameters
    ----------
    evaluation : Evaluation
        Of :func:`skad.evaluation.evaluate`.
    folder : path-like
        Of the maps; gets ``evaluation.csv``, ``lesion_sizes.csv``, ``lesion_volumes.csv`` and ``roc.png``,
        each where there is something to tell.

    Returns
    -------
    dict of pathlib.Path to list of dict
        The tables that were written.

    See Also
    --------
    write_report : The report, which shows these tables.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.evaluation import evaluate_slices
    >>> from skad.report import write_evaluation
    >>> y = np.zeros((2, 8, 9), int)
    >>> y[:, 2:4, 3:6] = 1
    >>> anomaly = y + np.random.default_rng(0).random(y.shape)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tables = write_evaluation(evaluate_slices(y, anomaly, ["a", "b"]), folder)
    >>> [path.name for path in tables]
    ['evaluation.csv', 'lesion_sizes.csv', 'lesion_volumes.csv']
    """
    folder = Path(folder)
    tables = {
        folder / EVALUATION: [*evaluation.rows, *evaluation.summary()],
        folder / LESION_SIZES: evaluation.lesion_sizes,
        folder / LESION_VOLUMES: evaluation.lesions_by_volume(),
    }
    tables = {path: rows for path, rows in tables.items() if rows}
    for path, rows in tables.items():
        write_table(rows, path)
    if curves := evaluation.roc_curves():
        save_figure(plot_roc(curves), folder / ROC)
    return tables


def label_figures(histogram: ScoreHistogram, scores: LabelScores) -> dict[str, Any]:
    """ROC and precision-recall curves of the labels, or else the picture of ``skad evaluate``, by caption."""
    abnormal = [label for label in histogram.labels if label > 0]
    if abnormal and 0 in histogram.labels:
        curves = {"any": None} | ({f"class {k}": k for k in abnormal} if len(abnormal) > 1 else {})
        points = {name: histogram.operating_points(label=k) for name, k in curves.items()}
        roc = {name: (*each.roc_curve()[:2], each.roc_auc()) for name, each in points.items()}
        return {
            "ROC curves, voxels of all subjects": plot_roc(roc),
            "Precision and recall, voxels of all subjects; dotted: guessing": plot_precision_recall(points),
        }
    return {} if scores.roc is None else {"ROC curves, voxels of all subjects": scores.roc}


def _class_row(label, rows):
    """Mean and standard deviation over subjects, and the score of all their voxels together."""
    of = {row["subject"]: row for row in rows if row["subject"] in _SUMMARY}
    n = len({row["subject"] for row in rows} - set(_SUMMARY))
    row = {"class": str(label), "subjects": n, "abnormal voxels": of["pooled"]["n_abnormal"]}
    for metric, name in METRIC_NAMES.items():
        row[f"{name}, mean ± sd of subjects"] = _spread(of["mean"][metric], of["sd"][metric], n)
        row[f"{name}, pooled"] = f"{of['pooled'][metric]:.3f}"
    return row


def _size_row(row):
    return {
        "lesion in a slice (pixels)": f"{row['smallest_pixels']} to {row['largest_pixels']}",
        "slices": row["n_slices"],
        "ROC-AUC": _spread(row["roc_auc"], row["roc_auc_sd"], row["n_slices"]),
    }


def _spread(mean, sd, n):
    return f"{mean:.3f} ± {sd:.3f}" if n > 1 else f"{mean:.3f}"
