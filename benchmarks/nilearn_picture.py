"""A map of skad opened in nilearn, over the scan it was made from: is it where it belongs?

    python benchmarks/nilearn_picture.py --data ../shared/data/ms --out docs/images/nilearn.png

The detector is the plainest, smoothed FLAIR intensity, unless ``--detector`` names a file of ``skad fit``.
The map goes through ``skad score``, as a user's would; nilearn reads it and the scan from disk and lays them
over each other by their affines. Green: the lesions of the experts.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from nilearn import image, plotting
from sklearn.pipeline import make_pipeline

from skad import VolumeAnomalyDetector, save
from skad.cli import main as skad
from skad.datasets import load_bids
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--detector", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images/nilearn.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        detector = arguments.detector or _flair_detector(arguments.data, folder / "flair.skad")
        skad(
            ["score", str(detector), str(arguments.data), "--out", str(folder), "--no-figures", "--no-report"]
        )
        files = [
            next(place.glob(f"sub-*/anat/*_{ending}.nii.gz"))
            for place, ending in (
                (folder, "desc-anomaly_map"),
                (arguments.data, "FLAIR"),
                (arguments.data, "label-lesion_mask"),
            )
        ]
        _draw(*files, arguments.out)


def _flair_detector(data, path):
    """Smoothed FLAIR intensity; fitting it learns the order of the contrasts and a threshold only."""
    prepare = VolumePreprocessor(voxel_size=None, size=(218, 182), intensity="zscore")
    detector = VolumeAnomalyDetector(make_pipeline(IntensityScorer(smoothing=1.0)), preprocessor=prepare)
    volumes = load_bids(data, contrasts=["FLAIR"])
    save(detector.fit(volumes), path)
    return path


def _draw(anomaly, scan, lesions, out):
    anomaly, lesions = image.load_img(anomaly), image.load_img(lesions)
    top = float(np.nanpercentile(anomaly.get_fdata(), 98))
    display = plotting.plot_anat(
        scan,
        cut_coords=plotting.find_xyz_cut_coords(lesions),
        draw_cross=False,
        colorbar=False,
        figure=plt.figure(figsize=(10, 4), facecolor="black"),
    )
    display.title("FLAIR and the top 2 % of its anomaly map", size=11)
    display.add_overlay(image.math_img("np.fmax(x, 0)", x=anomaly), threshold=top, cmap="inferno", vmin=0)
    display.add_contours(lesions, levels=[0.5], colors="limegreen", linewidths=0.6)
    out.parent.mkdir(parents=True, exist_ok=True)
    display.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
