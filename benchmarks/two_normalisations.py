"""One detector from two that see the same patients through different preprocessing.

    python benchmarks/two_normalisations.py --zscore results/glioma --landmarks results/scanners \\
        --data ../shared/data

Reads what glioma.toml and scanners.toml have fitted. A map of an ensemble is a mean log p, whatever its
detectors see, so two of them can be averaged, or the more abnormal of the two taken; and so can those of
several seeds. Writes a table per fold, which docs/results/scanners.md shows.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from skad.benchmark import read_study
from skad.benchmark.layout import Layout, Step
from skad.benchmark.slices import CohortSlices
from skad.benchmark.stages import FITTED
from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
)
from skad.persistence import load

STUDIES = Path(__file__).parent / "studies"
COHORT = "glioma"
Z, BRIGHT, PLANTED = "z-scored", "landmarks, bright on FLAIR", "landmarks, planted too"
ENSEMBLES = {
    Z: ("glioma", "ensemble: planted, FLAIR, translation, denoising"),
    BRIGHT: ("scanners", "ensemble, bright on FLAIR"),
    PLANTED: ("scanners", "ensemble, planted too"),
}
ROWS = [  # a name, and the ensembles that it combines: their mean, or the more abnormal of them
    (Z, np.mean, [Z]),
    (BRIGHT, np.mean, [BRIGHT]),
    (PLANTED, np.mean, [PLANTED]),
    (f"mean of {Z} and {BRIGHT}", np.mean, [Z, BRIGHT]),
    (f"the more abnormal of {Z} and {BRIGHT}", np.max, [Z, BRIGHT]),
    (f"mean of {Z} and {PLANTED}", np.mean, [Z, PLANTED]),
    (f"the more abnormal of {Z} and {PLANTED}", np.max, [Z, PLANTED]),
]
METRICS = (foreground_roc_auc_score, foreground_average_precision_score, foreground_best_dice_score)
FOLDS = ("test", "ms")


def maps(layout, name, seed, fold):
    """Maps of a study's ensemble, high where abnormal, and the labels."""
    method = Step(COHORT, name, seed, is_method=True)
    reference = Step(COHORT, layout.component(method).reference, seed)
    pairs = np.load(layout.folder(reference) / f"{fold}.npy", mmap_mode="r")
    y = CohortSlices(layout.cohort_folder(COHORT)).y(fold)
    return -load(layout.folder(method) / FITTED).score_samples(pairs), np.asarray(y)


def scores_of(layouts, seeds, fold):
    """Metrics of every row: of each seed (rows, seeds, metrics), and of all seeds as one (rows, metrics)."""
    found, labels = {}, []
    for ensemble, (study, name) in ENSEMBLES.items():
        of_seeds = [maps(layouts[study], name, seed, fold) for seed in seeds]
        found[ensemble] = np.stack([anomaly for anomaly, _ in of_seeds])
        labels.append(of_seeds[0][1])
    y = labels[0]
    if not all(np.array_equal(y, other) for other in labels):
        raise ValueError(f"The studies should have the same slices of {fold}.")
    each, together = [], []
    for _, combine, ensembles in ROWS:
        anomaly = combine([found[ensemble] for ensemble in ensembles], axis=0)
        each.append([[metric(y, of_seed) for metric in METRICS] for of_seed in anomaly])
        together.append([metric(y, anomaly.mean(axis=0)) for metric in METRICS])
    return np.array(each), np.array(together)


def tables(scores):
    """Rows of every fold's :func:`scores_of`: mean ± sd over the seeds, and all seeds as one."""
    found = {}
    for fold, (each, together) in zip(FOLDS, scores, strict=True):
        rows = [["ensembles", "seeds", "AUC", "AP", "best Dice"]]
        for (name, *_), of_seeds, of_all in zip(ROWS, each, together, strict=True):
            spread = zip(of_seeds.mean(0), of_seeds.std(0, ddof=1), strict=True)
            rows.append([name, f"each of {len(of_seeds)}", *(f"{m:.3f} ± {d:.3f}" for m, d in spread)])
            rows.append([name, "all as one", *(f"{value:.3f}" for value in of_all)])
        found[fold] = rows
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zscore", type=Path, required=True, help="results of glioma.toml")
    parser.add_argument("--landmarks", type=Path, required=True, help="results of scanners.toml")
    parser.add_argument("--data", type=Path, required=True, help="as for skad benchmark")
    parser.add_argument("--out", type=Path, default=Path("docs/results/tables"), help="folder of the tables")
    arguments = parser.parse_args()
    layouts = {
        name: Layout(read_study(STUDIES / f"{name}.toml", data=arguments.data), out)
        for name, out in (("glioma", arguments.zscore), ("scanners", arguments.landmarks))
    }
    seeds = layouts["glioma"].study.seeds
    found = tables([scores_of(layouts, seeds, fold) for fold in FOLDS])
    for fold, rows in found.items():
        name = "glioma" if fold == "test" else fold
        path = arguments.out / f"scanners_combined_{name}.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
