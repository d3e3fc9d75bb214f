"""ROC-AUC of many pixels: scikit-learn, the exact foreground metric and the streaming histogram.

Run ``python benchmarks/histogram.py --out docs/results/histogram.md``. Every number of the table comes from
this one run: seconds are processor time (every method uses one core, so other work on the machine hardly
counts), the best of the repeats; memory is the peak on top of labels and scores, taken in a run of its own.
"""

import argparse
import time
import tracemalloc
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

from skad.metrics import ScoreHistogram, foreground_roc_auc_score


def draw_scores(n_pixels, sigma, seed):
    """Labels with 6 % abnormal pixels, and lognormal scores whose logarithm lies one sigma higher there."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random(n_pixels) < 0.06).astype(np.uint8)
    return y_true, np.exp(sigma * (rng.standard_normal(n_pixels, dtype=np.float32) + y_true))


def histogram_roc_auc(y_true, anomaly):
    return ScoreHistogram().update(y_true, anomaly).roc_auc()


def even_bins_roc_auc(y_true, anomaly, n_bins=2**16):
    """ROC-AUC from as many bins of even width, to see what bins on the upper bits are for."""
    limits = anomaly.min(), anomaly.max()
    counts = [np.histogram(anomaly[y_true == k], n_bins, limits)[0] for k in (0, 1)]
    rates = [np.r_[0, c[::-1].cumsum() / c.sum()] for c in counts]
    return np.trapezoid(rates[1], rates[0])


METHODS = {
    "`sklearn.metrics.roc_auc_score`": (roc_auc_score, 2),
    "`foreground_roc_auc_score` (exact)": (foreground_roc_auc_score, 3),
    "`ScoreHistogram` (16 bits)": (histogram_roc_auc, 5),
    "65,536 bins of even width": (even_bins_roc_auc, 1),
}


def best_seconds(method, y_true, anomaly, repeats):
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        method(y_true, anomaly)
        seconds.append(time.process_time() - start)
    return min(seconds)


def peak_megabytes(method, y_true, anomaly):
    """Return what the method says and the largest memory it held while it worked, in MB."""
    tracemalloc.start()
    value = method(y_true, anomaly)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return value, peak / 1e6


def rows(sigma, y_true, anomaly):
    """Yield the lines of the table for one width of the scores, scikit-learn first."""
    reference = None
    for name, (method, repeats) in METHODS.items():
        seconds = best_seconds(method, y_true, anomaly, repeats)
        auc, megabytes = peak_megabytes(method, y_true, anomaly)
        reference = reference or (seconds, auc)
        yield (
            f"| {sigma:g} | {name} | {seconds:.3f} | {reference[0] / seconds:.1f} | {auc:.6f} | "
            f"{auc - reference[1]:+.1e} | {megabytes:,.0f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="Markdown file to write; the table is printed anyway")
    arguments = parser.parse_args()
    lines = [
        "# ROC-AUC of many pixels",
        "",
        f"{arguments.pixels:,} pixels, 6 % of them abnormal, lognormal float32 scores (sigma 1: residuals;",
        "sigma 10: a tail as heavy as that of mixture energies).",
        f"numpy {np.__version__}, scikit-learn {sklearn.__version__}.",
        "Seconds are of processor time; speed is relative to scikit-learn; memory is the peak in addition to",
        "labels and scores. Written by `python benchmarks/histogram.py`.",
        "",
        "| sigma | method | CPU seconds | times as fast | AUC | difference | memory (MB) |",
        "|---|---|---|---|---|---|---|",
    ]
    for sigma in (1, 10):
        lines += rows(sigma, *draw_scores(arguments.pixels, sigma, arguments.seed))
    print("\n".join(lines))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
