"""The table of a study of shifts: what the methods that train in seconds lose, all in one process.

    python benchmarks/shift.py --data ../shared/data --out docs/results
    python benchmarks/shift.py --data ../shared/data --out docs/results --ensemble

Fits and scores the methods of studies/shift.toml that need neither a reference nor epochs, on all its
cohorts; networks take hours: `skad benchmark benchmarks/studies/shift.toml`. Writes shift.csv (a row per
method, training cohort and judged cohort) and shift.md from it.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from champion import smooth_slices
from weighing import of_volumes, pixel_sizes, threshold_of_weighed, weighed_stack

from skad.benchmark import read_study
from skad.benchmark.folds import split_volumes
from skad.benchmark.loaders import load_volumes
from skad.composition import allows_missing_contrast
from skad.metrics import ScoreHistogram
from skad.preprocessing import VolumePreprocessor
from skad.scoring import make_lesion_ensemble

ENSEMBLE = "lesion ensemble"
MIXTURE = "mixture, FLAIR given T1"
WEIGHED = ", local prevalence"  # as `skad fit` computes maps of the mixture and of the ensemble
STUDY = Path(__file__).parent / "studies" / "shift.toml"
HOSPITALS, LEFT_OUT = "other hospitals", "left-out hospital"
NAMES = {
    "test": "same hospitals",
    "glioma_2mm": "2 mm",
    "glioma_5mm": "5 mm",
    "glioma_brighter": "gamma 0.7",
    "glioma_darker": "gamma 1.5",
    "glioma_without_T1w": "without T1",
    HOSPITALS: HOSPITALS,
    LEFT_OUT: LEFT_OUT,
    "ms": "MS",
    "stroke": "stroke, FLAIR alone",
}
TEXT = """\
# Distribution shift

These tables show how much detectors lose on scans unlike those of the training. The columns are:
validation gliomas of the training hospitals; the same at a coarser resolution and with changed tone
curves; without T1; gliomas of all hospitals but the single one used for training (mean of four);
gliomas of a hospital that was left out of the training (mean of five); multiple sclerosis from
another scanner; strokes from many scanners, with FLAIR alone. Scores are computed over all pixels
of a cohort; "-" means that the method needs every contrast, or was trained on all hospitals only.
"False positives" is the share of the cohort's normal pixels above the threshold that 1 % of the
training pixels exceed, in slices with lesions, too.

Written by `python benchmarks/shift.py`, for the methods of `benchmarks/studies/shift.toml` that
train in seconds and, with `--ensemble`, for the [lesion ensemble](../methods/lesion_ensemble.md),
which is trained on all hospitals only. For other networks, and for a cohort of your own (a table in
that file): `skad benchmark`.
"""
COSTS = """\
## Costs

Seconds of one core for fitting to all training hospitals, and milliseconds of one core for scoring
a slice with 128 x 128 pixels, local prevalence included where it is named.
"""
CONCLUSIONS = """\
## Conclusions

- The lesion ensemble (one seed) with local prevalence is the best detector under every shift that
  it was measured under. Of its average precision of 0.877, coarser images cost up to 0.013 and
  other tone curves up to 0.009; a patient with another disease from another scanner has 0.842.
- Local prevalence raises the average precision of the mixture and of the ensemble under every
  shift.
- A hospital that is left out of the training costs the mixture 0.009 on average, training on a
  single one 0.021. The ensemble was trained without each hospital on the page of [its
  steps](champion.md).
- Thresholds shift more than rankings: for an aim of 1 %, the ensemble calls 2.0 % of normal pixels
  abnormal on the training hospitals, 3.0 % at 5 mm and 0.1 % on the other scanner. Normal pixels
  around lesions are counted here, which local prevalence raises as well. Calibrate on patients of
  the scanner that is used.
"""
METRICS = {
    "average_precision": "Average precision",
    "best_dice": "Best Dice",
    "false_positives": "False positives",
}


def methods_of(study, train):
    """The methods of the study that train in seconds."""
    chosen = {name: c for name, c in study.methods.items() if not c.needs and "max_epochs" not in c.table}
    return {name: component.build(0) for name, component in chosen.items()}


def ensemble_of(study, train):
    """The ensemble of `skad fit --method ensemble`."""
    ensemble = make_lesion_ensemble(train.contrasts, random_state=0)
    return {ENSEMBLE: ensemble.set_params(network__precision="bf16")}  # as the study


def maps_of(method, scorer, stack):
    """The maps of a method, by name: as they are, and as `skad score` weighs them."""
    anomaly = -scorer.score_samples(stack.X)
    if method == ENSEMBLE:
        anomaly = of_volumes(smooth_slices, anomaly, stack.volume_index, stack.positions, pixel_sizes(stack))
    yield method, anomaly
    if method in (ENSEMBLE, MIXTURE):
        yield method + WEIGHED, weighed_stack(anomaly, stack)


def thresholds_of(method, scorer, X, train):
    """What 1 % of the training pixels exceed in each of those maps."""
    yield method, -scorer.offset_
    if method in (ENSEMBLE, MIXTURE):
        pixel_size = np.median(pixel_sizes(train), axis=0)
        yield method + WEIGHED, threshold_of_weighed(scorer, X, pixel_size)


def rows_of(study, cohort, scorers_of=methods_of, **preprocessing):
    """Rows of methods, trained on one cohort and judged on what names it."""
    volumes = split_volumes(load_volumes(study.cohorts[cohort], study.data), study.cohorts[cohort].folds)
    prepare = VolumePreprocessor(**study.preprocessing | preprocessing)
    train = prepare.fit_transform(volumes["train"])
    X = train.X[~train.y.any(axis=(1, 2))]
    fitted, thresholds, fitting = scorers_of(study, train), {}, {}
    for method, scorer in fitted.items():
        start = time.process_time()
        scorer.fit(X)
        fitting[method] = time.process_time() - start
        thresholds |= thresholds_of(method, scorer, X, train)
    judged = {"test": volumes["test"]} | {
        name: load_volumes(study.cohorts[name], study.data) for name in study.tests_of(cohort)
    }
    for name, scans in judged.items():
        stack = prepare.transform(scans)
        for method, scorer in fitted.items():
            if stack.missing_contrasts and not allows_missing_contrast(scorer):
                continue
            start = time.process_time()
            for shown, anomaly in maps_of(method, scorer, stack):
                scoring = (time.process_time() - start) / len(stack)
                histogram = ScoreHistogram().update(stack.y, anomaly)
                normal = (stack.y == 0) & ~np.isnan(anomaly)
                yield {
                    "trained_on": cohort,
                    "judged_on": name,
                    "method": shown,
                    "roc_auc": round(histogram.roc_auc(), 4),
                    "average_precision": round(histogram.average_precision(), 4),
                    "best_dice": round(histogram.best_dice(), 4),
                    "false_positives": round(float((anomaly[normal] > thresholds[shown]).mean()), 4),
                    "fitting": round(fitting[method], 2),
                    "scoring": round(1000 * scoring, 1),
                }
                start = time.process_time() - scoring * len(stack)  # a later step includes the earlier ones


def page(rows):
    """The Markdown page of the rows of shift.csv."""
    lines = [TEXT]
    for key, title in METRICS.items():
        lines += [f"## {title}", "", _line("method", *NAMES.values()), "|" + "---|" * (1 + len(NAMES))]
        for method in dict.fromkeys(row["method"] for row in rows):
            lines.append(_line(method, *(_cell(rows, method, name, key) for name in NAMES)))
        lines.append("")
    lines += [COSTS, _line("method", "fitting (s)", "scoring (ms per slice)"), "|---|---|---|"]
    for method in dict.fromkeys(row["method"] for row in rows):
        row = next(row for row in rows if row["method"] == method)  # all hospitals, their validation fold
        lines.append(_line(method, *(f"{float(row[key]):.3g}" for key in ("fitting", "scoring"))))
    return "\n".join([*lines, "", CONCLUSIONS])


def _cell(rows, method, name, key):
    def is_meant(row):
        if name == HOSPITALS:
            return row["judged_on"].startswith("not_")
        if name == LEFT_OUT:
            return row["trained_on"].startswith("without_")
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
    parser.add_argument(
        "--ensemble", action="store_true", help="add the rows of the lesion ensemble: half an hour"
    )
    arguments = parser.parse_args()
    study = read_study(STUDY, data=arguments.data)
    table = arguments.out / "shift.csv"
    if arguments.ensemble:
        kept = [
            row
            for row in csv.DictReader(table.read_text().splitlines())
            if not row["method"].startswith(ENSEMBLE)
        ]
        rows = kept + list(rows_of(study, "glioma", ensemble_of, intensity="whitematter"))
    else:
        rows = [row for cohort in study.trained for row in rows_of(study, cohort)]
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.out / "shift.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
