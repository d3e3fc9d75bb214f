"""Energies of a Gaussian mixture: how fast against scikit-learn, and how exact in float32.

    python benchmarks/energy.py --out docs/results/energy.md

Both are timed in turns, in one process, on the same pixels, parameters and number of threads; the shortest
of the repetitions counts.
"""

import argparse
import os
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import sklearn
import torch
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from skad.mixture import SingularCovarianceError, energy, floor_eigenvalues, mixture_moments, precision

BATCH = 24 * 128 * 128
"""Pixels of a training batch of 24 slices, all of them foreground."""

TEMPLATE = """# Energies of a Gaussian mixture

Made by `python benchmarks/energy.py`: {a.n_pixels:,} pixels, {a.n_features} features,
{a.n_components} components, {a.threads} of {cores} cores, shortest of {a.n_repeats} turns;
{versions}.

| | seconds | times as fast | largest relative difference |
|---|---|---|---|
{speed}

One training step (moments, eigenvalue floor, energy and all gradients) on {batch:,} float32 pixels
takes {step:.2f} s.

## Why float64

The last feature repeats the first one more and more closely (first + spread * own content); the
last column is the largest error if the energies are computed in float32 throughout.

| spread | smallest eigenvalue | largest eigenvalue | error of float32 in nats |
|---|---|---|---|
{precision}
"""


def fitted_mixture(pixels, n_components, seed):
    """A scikit-learn mixture after a few EM steps on some of the pixels; both sides use its parameters."""
    mixture = GaussianMixture(n_components, max_iter=3, tol=1e6, random_state=seed)
    return mixture.fit(pixels[:20_000])


def as_tensors(mixture):
    return [torch.from_numpy(part) for part in (mixture.weights_, mixture.means_, mixture.covariances_)]


def shortest(functions, n_repeats):
    """Shortest wall time in seconds of each function; they take turns, after one call that does not count."""
    times = [[] for _ in functions]
    for repeat in range(n_repeats + 1):
        for function, measured in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            if repeat:
                measured.append(time.perf_counter() - start)
    return [min(measured) for measured in times]


def in_float32(features, *parameters):
    """Energies as they would be if float32 were the working precision."""
    with patch.object(precision, "MAX_FLOAT64_FEATURES", 0):
        return energy(features.float(), *parameters)


def training_step(features, logits):
    """Moments, floor, energy and their gradients of one batch, as `JointDRGMM` needs them."""
    weights, means, covariances = mixture_moments(features, logits.softmax(dim=1))
    energy(features, weights, means, floor_eigenvalues(covariances)).mean().backward()


def largest_relative_error(energies, expected):
    return ((energies - expected) / expected).abs().max().item()


def speed_rows(pixels, mixture, n_repeats):
    """Table rows for scikit-learn, and for skad in float64 and float32."""
    features, parameters = torch.from_numpy(pixels), as_tensors(mixture)
    expected = torch.from_numpy(-mixture.score_samples(pixels))
    single = features.float()
    runs = {
        "scikit-learn, `score_samples`": lambda: torch.from_numpy(-mixture.score_samples(pixels)),
        "skad, `energy`, float64 pixels": lambda: energy(features, *parameters),
        "skad, `energy`, float32 pixels (computed in float64)": lambda: energy(single, *parameters),
        "float32 throughout (not offered, for comparison)": lambda: in_float32(single, *parameters),
    }
    seconds = shortest(list(runs.values()), n_repeats)
    errors = [largest_relative_error(run().double(), expected) for run in runs.values()]
    return [
        f"| {name} | {time:.3f} | {seconds[0] / time:.1f} | {error:.1e} |"
        for name, time, error in zip(runs, seconds, errors, strict=True)
    ]


def precision_rows(pixels, n_components, seed):
    """What float32 arithmetic loses as one feature comes to repeat another."""
    random = torch.Generator().manual_seed(seed)
    features = torch.from_numpy(pixels[:100_000]).float()
    shares = torch.randn(len(features), n_components, generator=random).softmax(dim=1)
    own = features[:, -1].clone()
    rows = []
    for spread in (1.0, 1e-1, 1e-2, 1e-3, 0.0):
        features[:, -1] = features[:, 0] + spread * own
        weights, means, covariances = mixture_moments(features, shares)
        covariances = floor_eigenvalues(covariances)
        eigenvalues = torch.linalg.eigvalsh(covariances)
        exact = energy(features.double(), weights, means, covariances)
        loss = rounding_loss(exact, features, weights, means, covariances)
        rows.append(f"| {spread:g} | {eigenvalues.min():.1e} | {eigenvalues.max():.1e} | {loss} |")
    return rows


def rounding_loss(exact, *mixture_of_pixels):
    """Largest absolute error in nats of float32 arithmetic, or that it has none to offer."""
    try:
        energies = in_float32(*mixture_of_pixels)
    except SingularCovarianceError:
        return "none: float32 finds the covariance singular"
    return f"{(energies.double() - exact).abs().max():.1e}"


def report(arguments):
    """The whole result as Markdown."""
    random = np.random.default_rng(arguments.seed)
    pixels = random.normal(size=(arguments.n_pixels, arguments.n_features))
    pixels = (
        pixels @ random.normal(size=(arguments.n_features, arguments.n_features)) / arguments.n_features**0.5
    )
    mixture = fitted_mixture(pixels, arguments.n_components, arguments.seed)
    features = torch.randn(BATCH, arguments.n_features, requires_grad=True)
    logits = torch.randn(BATCH, arguments.n_components, requires_grad=True)
    (step,) = shortest([lambda: training_step(features, logits)], arguments.n_repeats)
    return TEMPLATE.format(
        a=arguments,
        cores=os.cpu_count(),
        versions=f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, torch {torch.__version__}",
        speed="\n".join(speed_rows(pixels, mixture, arguments.n_repeats)),
        batch=BATCH,
        step=step,
        precision="\n".join(precision_rows(pixels, arguments.n_components, arguments.seed)),
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="Markdown file to write; printed in any case")
    parser.add_argument("--n-pixels", type=int, default=2_000_000)
    parser.add_argument("--n-features", type=int, default=7)
    parser.add_argument("--n-components", type=int, default=6)
    parser.add_argument("--n-repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    with threadpool_limits(arguments.threads):
        text = report(arguments)
    print(text)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text)


if __name__ == "__main__":
    main()
