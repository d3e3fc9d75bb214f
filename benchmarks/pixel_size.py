"""How the score of smoothed FLAIR on strokes depends on the pixel, the smoothing and who is judged.

    python benchmarks/pixel_size.py --data ../shared/data --out docs/results/pixel_size.csv

Nothing is learned: z-scored FLAIR of all 625 patients of the column `fold` = validation, and of the 465 that
`benchmarks/studies/stroke.toml` judges. The smoothing is in pixels, so that its width in mm follows the size
of the pixel. About two minutes of CPU.
"""

import argparse
import csv
from pathlib import Path

from skad.benchmark.folds import split_volumes
from skad.datasets import load_bids
from skad.metrics import ScoreHistogram
from skad.postprocessing import smooth_foreground
from skad.preprocessing import VolumePreprocessor

FOLDS = {"column": "fold", "train": "train", "test": "validation", "chosen_on": 160, "seed": 0}
LONGEST = 189  # mm, of the slices' field of view
FRAMES = {
    f"{LONGEST / 128:.2f}": {"size": (128, 128)},  # the default: the whole field of view scaled
    "1.00": {"size": (192, 160), "size_mode": "crop"},
    "3.00": {"size": (64, 56), "voxel_size": 3.0},
}
SMOOTHINGS = (0.0, 0.75, 1.5)


def rows_of(volumes, pixel):
    """Rows of one size of the pixel."""
    stacks = [
        VolumePreprocessor(**FRAMES[pixel]).fit_transform(volumes[fold]) for fold in ("validation", "test")
    ]
    for smoothing in SMOOTHINGS:
        some, rest = (
            ScoreHistogram().update(stack.y, smooth_foreground(stack.X[:, 0], smoothing)) for stack in stacks
        )
        for n_patients, histogram in ((len(stacks[1]), rest), (sum(map(len, stacks)), some + rest)):
            scores = (histogram.roc_auc(), histogram.average_precision(), histogram.best_dice())
            names = ("roc_auc", "average_precision", "best_dice")
            yield {
                "pixel_mm": pixel,
                "smoothing_px": smoothing,
                "smoothing_mm": round(smoothing * float(pixel), 2),
                "n_patients": n_patients,
                **{name: round(score, 4) for name, score in zip(names, scores, strict=True)},
            }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds stroke/")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    volumes = split_volumes(load_bids(arguments.data / "stroke", contrasts=["FLAIR"]), FOLDS)
    rows = [row for pixel in FRAMES for row in rows_of(volumes, pixel)]
    with open(arguments.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
