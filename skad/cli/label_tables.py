"""Tables and curves of a report: how the maps compare with the labels."""

import csv

from skad.cli.output import EVALUATION, LESION_SIZES, ROC
from skad.plotting import plot_precision_recall, plot_roc

METRIC_NAMES = {"roc_auc": "ROC-AUC", "average_precision": "average precision", "best_dice": "best Dice"}


def label_tables(maps):
    """Of ``skad evaluate``: the scores over subjects per class, and per lesion size."""
    rows, sizes = read_table(maps / EVALUATION), read_table(maps / LESION_SIZES)
    classes = sorted({row["label"] for row in rows}, key=lambda label: (label != "any", label))
    classes = classes[:1] if len(classes) == 2 else classes  # the only class is any
    tables = {
        "Against the labels, per class": [
            _class_row(label, [row for row in rows if row["label"] == label]) for label in classes
        ],
        "Against the labels, per lesion size": [
            {
                "lesion in a slice (pixels)": f"{row['smallest_pixels']} to {row['largest_pixels']}",
                "slices": row["n_slices"],
                "ROC-AUC": _spread(row["roc_auc"], row["roc_auc_sd"], row["n_slices"]),
            }
            for row in sizes
        ],
    }
    return {heading: rows for heading, rows in tables.items() if rows}


def _class_row(label, rows):
    """Mean and standard deviation over subjects, and the score of all their voxels together."""
    of = {row["subject"]: row for row in rows if row["subject"] in ("mean", "sd", "pooled")}
    n = len(rows) - len(of)
    row = {"class": str(label), "subjects": n, "abnormal voxels": of["pooled"]["n_abnormal"]}
    for metric, name in METRIC_NAMES.items():
        row[f"{name}, mean ± sd of subjects"] = _spread(of["mean"][metric], of["sd"][metric], n)
        row[f"{name}, pooled"] = f"{of['pooled'][metric]:.3f}"
    return row


def _spread(mean, sd, n):
    return f"{mean:.3f} ± {sd:.3f}" if n > 1 else f"{mean:.3f}"


def label_figures(maps, histogram, *, evaluated=True):
    """ROC and precision-recall curves of the labels, or else the picture of ``skad evaluate``."""
    abnormal = [label for label in histogram.labels if label > 0]
    if abnormal and 0 in histogram.labels:
        curves = {"any": None} | ({f"class {k}": k for k in abnormal} if len(abnormal) > 1 else {})
        points = {name: histogram.operating_points(label=k) for name, k in curves.items()}
        roc = {name: (*each.roc_curve()[:2], each.roc_auc()) for name, each in points.items()}
        return {
            "ROC curves, voxels of all subjects": plot_roc(roc),
            "Precision and recall, voxels of all subjects; dotted: guessing": plot_precision_recall(points),
        }
    if evaluated and (maps / ROC).exists():
        return {"ROC curves, voxels of all subjects": (maps / ROC).read_bytes()}
    return {}


def read_table(path):
    """Rows of a CSV file with numbers as numbers; none where there is no file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _number(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
