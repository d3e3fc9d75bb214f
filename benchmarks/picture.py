"""The picture of the README: FLAIR, its normal reference and the map of a patient with multiple sclerosis.

    python benchmarks/picture.py --reference results/adm/work/reference-translation-1-*/fitted.skad \\
        --data ../shared/data/ms --out docs/images/map.png

The reference was fitted by ``benchmarks/studies/adm.toml`` on other patients, another disease and other
scanners.
"""

import argparse
from pathlib import Path

import numpy as np

import skad
from skad.datasets import load_bids
from skad.plotting import plot_slices
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ResidualScorer

CONTRASTS, FLAIR = ("T1w", "FLAIR", "ce-gadolinium_T1w"), 1


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/images/map.png"))
    arguments = parser.parse_args()
    prepare = VolumePreprocessor(voxel_size=None, size=(128, 128), intensity="zscore")
    stack = prepare.fit_transform(load_bids(arguments.data, contrasts=CONTRASTS))
    largest = [np.argmax(stack.y.sum(axis=(1, 2)))]
    slices = stack.X[largest]
    pairs = skad.load(arguments.reference).transform(slices)
    anomaly = -ResidualScorer(sign=1, contrasts=[FLAIR], smoothing=1.0).fit(pairs).score_samples(pairs)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    plot_slices(
        pairs[:, :, FLAIR],
        anomaly,
        labels=stack.y[largest],
        contrasts=["FLAIR", "normal reference"],
        n_slices=1,
    ).savefig(arguments.out, dpi=130)


if __name__ == "__main__":
    main()
