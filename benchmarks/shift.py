"""The table of a study of shifts: what the methods that train in seconds lose, all in one process.

    python benchmarks/shift.py --data ../shared/data --out docs/results

Fits and scores the methods of studies/shift.toml that need neither a reference nor epochs, on all its
cohorts; networks take hours: `skad benchmark benchmarks/studies/shift.toml`. Writes shift.csv (a row per
method, training cohort and judged cohort) and shift.md from it.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from skad.benchmark import read_study
from skad.benchmark.folds import split_volumes
from skad.benchmark.loaders import load_volumes
from skad.composition import allows_missing_contrast
from skad.metrics import ScoreHistogram
from skad.preprocessing import VolumePreprocessor

STUDY = Path(__file__).parent / "studies" / "shift.toml"
HOSPITALS = "other hospitals"
NAMES = {
    "test": "same hospitals",
    "glioma_2mm": "2 mm",
    "glioma_5mm": "5 mm",
    "glioma_brighter": "gamma 0.7",
    "glioma_darker": "gamma 1.5",
    "glioma_without_T1w": "without T1",
    HOSPITALS: HOSPITALS,
    "ms": "MS",
    "stroke": "stroke, FLAIR alone",
}
TEXT = """\
# Distribution shift

These tables show how much detectors lose on scans unlike those of the training. The columns are:
validation gliomas of the training hospitals; the same at a coarser resolution and with changed tone
curves; without T1; gliomas of all hospitals but the single one used for training (mean of four);
multiple sclerosis from another scanner; strokes from many scanners, with FLAIR alone. Scores are
computed over all pixels of a cohort; "-" means that the method needs every contrast. "False
positives" is the share of the cohort's normal pixels above the threshold that 1 % of the training
pixels exceed.

Written by `python benchmarks/shift.py`, for the methods of `benchmarks/studies/shift.toml` that
train in seconds. For networks, and for a cohort of your own (a table in that file): `skad
benchmark`.
"""
METRICS = {
    "average_precision": "Average precision",
    "best_dice": "Best Dice",
    "false_positives": "False positives",
}


def rows_of(study, cohort):
    """Rows of all chosen methods, trained on one cohort and judged on what names it."""
    volumes = split_volumes(load_volumes(study.cohorts[cohort], study.data), study.cohorts[cohort].folds)
    prepare = VolumePreprocessor(**study.preprocessing)
    train = prepare.fit_transform(volumes["train"])
    X = train.X[~train.y.any(axis=(1, 2))]
    chosen = {name: c for name, c in study.methods.items() if not c.needs and "max_epochs" not in c.table}
    fitted = {name: component.build(0).fit(X) for name, component in chosen.items()}
    judged = {"test": volumes["test"]} | {
        name: load_volumes(study.cohorts[name], study.data) for name in study.tests_of(cohort)
    }
    for name, scans in judged.items():
        stack = prepare.transform(scans)
        for method, scorer in fitted.items():
            if stack.missing_contrasts and not allows_missing_contrast(scorer):
                continue
            anomaly = -scorer.score_samples(stack.X)
            histogram = ScoreHistogram().update(stack.y, anomaly)
            normal = (stack.y == 0) & ~np.isnan(anomaly)
            yield {
                "trained_on": cohort,
                "judged_on": name,
                "method": method,
                "roc_auc": round(histogram.roc_auc(), 4),
                "average_precision": round(histogram.average_precision(), 4),
                "best_dice": round(histogram.best_dice(), 4),
                "false_positives": round(float((anomaly[normal] > -scorer.offset_).mean()), 4),
            }


def page(rows):
    """The Markdown page of the rows of shift.csv."""
    lines = [TEXT]
    for key, title in METRICS.items():
        lines += [f"## {title}", "", _line("method", *NAMES.values()), "|" + "---|" * (1 + len(NAMES))]
        for method in dict.fromkeys(row["method"] for row in rows):
            lines.append(_line(method, *(_cell(rows, method, name, key) for name in NAMES)))
        lines.append("")
    return "\n".join(lines)


def _cell(rows, method, name, key):
    def is_meant(row):
        if name == HOSPITALS:
            return row["judged_on"].startswith("not_")
        return row["judged_on"] == name and row["trained_on"] == "glioma"

    found = [float(row[key]) for row in rows if row["method"] == method and is_meant(row)]
    return f"{np.mean(found):.3f}" if found else "-"


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the cohorts")
    parser.add_argument("--out", type=Path, required=True, help="where shift.csv and shift.md go")
    arguments = parser.parse_args()
    study = read_study(STUDY, data=arguments.data)
    rows = [row for cohort in study.trained for row in rows_of(study, cohort)]
    with open(arguments.out / "shift.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.out / "shift.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
