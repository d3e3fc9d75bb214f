"""One detector from two that see the same patients through different preprocessing.

    python benchmarks/two_normalisations.py --zscore results/glioma --landmarks results/scanners \\
        --data ../shared/data

Reads what glioma.toml and scanners.toml have fitted. A map of an ensemble is a mean log p, whatever its
detectors see, so two of them can be averaged; or the more abnormal of the two taken. Writes both.md into the
landmarks' results, for benchmarks/page.py.
"""

import argparse
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
ENSEMBLES = {"glioma": "ensemble: planted, FLAIR, translation, denoising", "scanners": "ensemble"}
ROWS = {
    "z-scored": lambda z, landmarks: z,
    "at landmarks": lambda z, landmarks: landmarks,
    "mean of the two": lambda z, landmarks: (z + landmarks) / 2,
    "the more abnormal of the two": np.maximum,
}
METRICS = (foreground_roc_auc_score, foreground_average_precision_score, foreground_best_dice_score)
FOLDS = ("test", "ms")


def maps(layout, seed, fold):
    """Maps of a study's ensemble, high where abnormal, and the labels."""
    method = Step(COHORT, ENSEMBLES[layout.study.name], seed, is_method=True)
    reference = Step(COHORT, layout.component(method).reference, seed)
    pairs = np.load(layout.folder(reference) / f"{fold}.npy", mmap_mode="r")
    y = CohortSlices(layout.cohort_folder(COHORT)).y(fold)
    return -load(layout.folder(method) / FITTED).score_samples(pairs), np.asarray(y)


def scores_of(layouts, seed):
    """Every metric of every row on both folds, array of shape (n_rows, n_folds, n_metrics)."""
    scores = np.empty((len(ROWS), len(FOLDS), len(METRICS)))
    for j, fold in enumerate(FOLDS):
        (z, y), (landmarks, same) = (maps(layout, seed, fold) for layout in layouts)
        if not np.array_equal(y, same):
            raise ValueError(f"The studies should have the same slices of {fold}.")
        for i, combine in enumerate(ROWS.values()):
            scores[i, j] = [metric(y, combine(z, landmarks)) for metric in METRICS]
    return scores


def table(scores):
    """Mean ± standard deviation over the seeds (first axis) as Markdown."""
    heads = [f"{fold}: {name}" for fold in ("glioma", "ms") for name in ("AUC", "AP", "best Dice")]
    lines = [f"| intensities | seeds | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    mean, deviation = scores.mean(axis=0), scores.std(axis=0, ddof=1)
    for i, name in enumerate(ROWS):
        cells = [f"{m:.3f} ± {d:.3f}" for m, d in zip(mean[i].flat, deviation[i].flat, strict=True)]
        lines.append(f"| {name} | {len(scores)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--zscore", type=Path, required=True, help="results of glioma.toml")
    parser.add_argument("--landmarks", type=Path, required=True, help="results of scanners.toml")
    parser.add_argument("--data", type=Path, required=True, help="as for skad benchmark")
    arguments = parser.parse_args()
    layouts = [
        Layout(read_study(STUDIES / f"{name}.toml", data=arguments.data), out)
        for name, out in (("glioma", arguments.zscore), ("scanners", arguments.landmarks))
    ]
    scores = np.array([scores_of(layouts, seed) for seed in layouts[0].study.seeds])
    (arguments.landmarks / "both.md").write_text(table(scores) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
