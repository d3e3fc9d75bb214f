"""Whether encoder and decoder of IntroVAE compete: reconstructions inside the margin, by weight of SSIM.

    python benchmarks/introvae_margin.py --out docs/results/introvae_margin.csv

Trains on simulated T1w slices at two sizes, K's margin of 120 nats throughout; a row is a mean over the last
third of the epochs. `local_scale` is the harmonic mean of 2 v + C over the foreground, v the local variance
and C the constant of SSIM: the squared error divided by it is about 1 - SSIM near a good reconstruction.
About 6 minutes of CPU.
"""

import argparse
import csv
import sys

import numpy as np
import torch

from skad.datasets import make_phantom
from skad.nn.gaussian_blur import blur_foreground
from skad.nn.ssim import K2
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import IntroVAEReconstructor

N_SLICES = 64
GAME = {
    "channels": (8, 16, 32),
    "latent_channels": 16,
    "batch_size": 8,
    "max_epochs": 60,
    "n_warmup_epochs": 6,
    "encoder_lr": 1e-3,
    "decoder_lr": 1e-3,
    "random_state": 0,
}
COLUMNS = ("kl_real", "kl_reconstructed", "share_inside_margin", "reconstruction_error")


def slices_of(size):
    """Normal slices of one contrast, (64, 1, size, size)."""
    volumes = make_phantom(n_subjects=8, lesion=None, random_state=0)
    X = VolumePreprocessor(voxel_size=None, size=(size, size)).fit_transform(volumes).X[:, :1]
    X = X[[not np.isnan(x).all() for x in X]]
    return X[np.linspace(0, len(X) - 1, N_SLICES).astype(int)]


def local_scale(X):
    """Harmonic mean of 2 v + C over the foreground of slices scaled to [-1, 1] as the networks see them."""
    low, high = np.nanquantile(X, [0.001, 0.999])
    images = torch.from_numpy(2 * (X - low) / (high - low) - 1).clamp(-1, 1)
    foreground, images = ~images.isnan(), images.nan_to_num()
    mean, square = (blur_foreground(each, foreground, 1.5, 5) for each in (images, images.square()))
    variance = (square - mean.square()).clamp(min=0)[foreground]
    return float(1 / (1 / (2 * variance + (2 * K2) ** 2)).mean())


def row_of(X, ssim_weight):
    """What a game with this weight comes to: a dict."""
    history = IntroVAEReconstructor(ssim_weight=ssim_weight, **GAME).fit(X).history_
    last = -(GAME["max_epochs"] // 3)
    means = {name: float(np.mean(history[name][last:])) for name in COLUMNS}
    own = {"size": X.shape[-1], "local_scale": f"{local_scale(X):.2g}", "ssim_weight": ssim_weight}
    return {**own, **{n: f"{v:.3g}" for n, v in means.items()}}


def main():
    """Write a row per size and weight."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.01, 0.1, 1.0])
    arguments = parser.parse_args()
    with open(arguments.out, "w", newline="") as file:
        table = csv.DictWriter(file, ["size", "local_scale", "ssim_weight", *COLUMNS], lineterminator="\n")
        table.writeheader()
        for size in arguments.sizes:
            X = slices_of(size)
            for weight in arguments.weights:
                table.writerow(row_of(X, weight))
                file.flush()


if __name__ == "__main__":
    sys.exit(main())
