"""Contrasts of one patient before and after `CoRegister`: a checkerboard picture and mutual information.

    python benchmarks/coregistration.py --data ../shared/data/clinical --to FLAIR \\
        --out docs/images/coregistration.png

Mutual information is computed here from ranks, not by the registration's own estimate. Maps are then sent
back, and the grid of each is compared with its file's.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import mutual_info_score

from skad.datasets import load_bids
from skad.io import read_volume
from skad.preparation import BrainExtract, CoRegister

CONTRASTS = ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR")
SQUARES = 8  # along each axis of the picture
N_BINS = 32


def mutual_information(first, second, n_bins=N_BINS):
    """Mutual information of two images where both are known, nats, from bins of equal count."""
    known = np.isfinite(first) & np.isfinite(second)
    first, second = (
        np.digitize(image[known], np.quantile(image[known], np.linspace(0, 1, n_bins + 1)[1:-1]))
        for image in (first, second)
    )
    return mutual_info_score(first, second)


def checkerboard(first, second, squares=SQUARES):
    """Squares of two slices in turn, each slice in its own gray scale from 0 to 1."""
    rows, columns = (np.arange(n) * squares // n for n in first.shape)
    odd = (rows[:, None] + columns) % 2 == 1
    return np.where(odd, _gray(second), _gray(first))


def _gray(image):
    low, high = np.nanpercentile(image, (1, 99))
    return np.clip((image - low) / (high - low), 0, 1)


def draw(before, after, to, others):
    """A row by its headers, a row co-registered, a column per contrast; the middle of the head."""
    level = before.shape[2] * 3 // 5
    figure, axes = plt.subplots(2, len(others), figsize=(3.2 * len(others), 7.6), layout="constrained")
    for row, (title, volume) in zip(axes, (("headers", before), ("CoRegister", after)), strict=True):
        for axis, name in zip(row, others, strict=True):
            slices = (volume.contrasts[contrast][:, :, level] for contrast in (to, name))
            axis.imshow(np.rot90(checkerboard(*slices)), cmap="gray", aspect=_aspect(volume))
            information = mutual_information(volume.contrasts[to], volume.contrasts[name])
            axis.set_title(f"{to} / {name}, {title}\nmutual information {information:.2f} nats", fontsize=9)
            axis.set_axis_off()
    return figure


def _aspect(volume):
    return volume.voxel_size[1] / volume.voxel_size[0]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", default="FLAIR", choices=CONTRASTS)
    parser.add_argument("--out", type=Path, default=Path("docs/images/coregistration.png"))
    arguments = parser.parse_args()
    others = [name for name in CONTRASTS if name != arguments.to]
    (before,) = load_bids(arguments.data, contrasts=(arguments.to, *others))
    align = CoRegister(arguments.to)
    (after,) = align.fit_transform([before])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    draw(before, after, arguments.to, others).savefig(arguments.out, dpi=90)
    for name in others:
        values = (mutual_information(v.contrasts[arguments.to], v.contrasts[name]) for v in (before, after))
        print(name, "mutual information with", arguments.to, "before and after:", *np.round(list(values), 3))
    (brain,) = BrainExtract("T1w").transform([after])
    print("brain:", round(brain.mask.sum() * np.prod(brain.voxel_size) / 1000), "mL")
    (maps,) = align.inverse_transform([brain.mask], [brain])
    for name, image in maps.items():
        file = read_volume({name: after.info["paths"][name]})
        same = image.shape == file.shape and np.array_equal(image.affine, file.affine)
        print(name, "map of shape", image.shape, "lies on its file's grid:", same)


if __name__ == "__main__":
    main()
