"""Is bfloat16 as good as float32 on a CPU that has it?   python benchmarks/cpu_bf16.py --data FOLDER

Trains small networks in both precisions with the same seeds on the normal slices of FOLDER/glioma's training
patients, and ranks the pixels of its validation patients: about 20 minutes of one core. Writes
docs/results/cpu_bf16.csv row by row, and the page from it.
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import torch
from sklearn.pipeline import make_pipeline

from skad.datasets import load_bids
from skad.metrics import foreground_average_precision_score, foreground_roc_auc_score
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator, VAEReconstructor
from skad.scoring import JointDRGMM, ResidualScorer, SyntheticAnomalyScorer

COLUMNS = ("method", "precision", "seed", "roc_auc", "average_precision", "fit_cpu_s", "score_cpu_s")

TEXT = """# bfloat16 on a CPU

Is bfloat16 as accurate as float32 on a CPU that has instructions for it, and how much faster?
Written by `python benchmarks/cpu_bf16.py`; the rows are in `docs/results/cpu_bf16.csv`. Both
precisions train on the same slices from the same {n_seeds} seeds and rank the pixels of the same
validation patients. Means and standard deviations are those of float32 over seeds; a change is
bfloat16 minus float32 of the same seed, one number per seed; "times as fast" is the median ratio of
CPU seconds.

| | ROC-AUC, fp32 | change | average precision, fp32 | change | fit, times as fast | score |
|---|---|---|---|---|---|---|
{rows}

## Conclusions

- The changes of ADM and of the VAE have either sign and are smaller than the spread over seeds. The
  networks of synthetic lesions are far from trained after so few epochs, and their changes are
  positive; the [lesion ensemble](champion.md), whose rows on a CPU are in bfloat16, agrees with a
  GPU's to the spread over seeds.
- Training takes about three quarters of the time, scoring two thirds. With these small networks
  much of a step is no matrix product; larger ones gain more.
- `precision="auto"` stays float32 on CPUs all the same: the maps of a detector then do not depend
  on the processor that scores. `--set score__precision=bf16` (ensemble:
  `score__network__precision`) asks for it.
"""


def systems(precision, seed, epochs):
    """The methods by name, small enough for a CPU; lesions take three times as long to learn."""
    common = {"precision": precision, "random_state": seed, "device": "cpu"}
    brief = common | {"max_epochs": epochs}
    translator = ContrastTranslator(width=8, n_blocks=2, **brief)
    autoencoder = VAEReconstructor(
        channels=(8, 16, 32, 64), latent_channels=32, batch_size=16, encoder_lr=1e-3, decoder_lr=1e-3, **brief
    )
    return {
        "synthetic lesions": SyntheticAnomalyScorer(width=8, max_epochs=3 * epochs, **common),
        "ADM": make_pipeline(translator, JointDRGMM(**brief)),
        "VAE residual": make_pipeline(autoencoder, ResidualScorer()),
    }


def slices(folder):
    """Normal training slices; slices and labels of the validation patients."""
    volumes = load_bids(folder)
    by_fold = {
        fold: [volume for volume in volumes if volume.info["fold"] == fold]
        for fold in ("train", "validation")
    }
    prepare = VolumePreprocessor(size=(64, 64))
    train = prepare.fit_transform(by_fold["train"])
    validation = prepare.transform(by_fold["validation"])
    return train.X[~train.y.any(axis=(1, 2))], validation.X, validation.y


def measure(system, train, X, y):
    """Scores and CPU seconds of one fitted system."""
    begin = time.process_time()
    system.fit(train)
    fitted = time.process_time()
    anomaly = -system.score_samples(X)
    scored = time.process_time()
    scores = foreground_roc_auc_score(y, anomaly), foreground_average_precision_score(y, anomaly)
    return [f"{value:.5g}" for value in (*scores, fitted - begin, scored - fitted)]


def write_page(rows, out):
    """The page from the CSV: means over seeds, and differences of the same seed."""
    with open(rows, newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    values = {(row["method"], row["precision"], row["seed"]): row for row in found}
    seeds = sorted({row["seed"] for row in found})
    lines = []
    for method in dict.fromkeys(row["method"] for row in found):
        pairs = [[values[method, precision, seed] for precision in ("fp32", "bf16")] for seed in seeds]
        cells = [method]
        for name in ("roc_auc", "average_precision"):
            fp32, bf16 = ([float(pair[i][name]) for pair in pairs] for i in (0, 1))
            changes = [b - a for a, b in zip(fp32, bf16, strict=True)]
            spread = statistics.stdev(fp32)
            cells.append(f"{statistics.mean(fp32):.4f} ± {spread:.4f}")
            cells.append(" ".join(f"{change:+.4f}" for change in changes))
        for name in ("fit_cpu_s", "score_cpu_s"):
            ratios = [float(a[name]) / float(b[name]) for a, b in pairs]
            cells.append(f"{statistics.median(ratios):.2f}")
        lines.append(f"| {' | '.join(cells)} |")
    Path(out).write_text(TEXT.format(n_seeds=len(seeds), rows="\n".join(lines)), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with glioma")
    parser.add_argument("--out", type=Path, default=Path("docs/results/cpu_bf16.csv"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        raise SystemExit("This CPU has no bfloat16 instructions.")
    train, X, y = slices(arguments.data / "glioma")
    torch.set_num_threads(1)
    with open(arguments.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for seed in arguments.seeds:
            for precision in ("fp32", "bf16"):
                for name, system in systems(precision, seed, arguments.epochs).items():
                    writer.writerow([name, precision, seed, *measure(system, train, X, y)])
                    file.flush()
    write_page(arguments.out, arguments.out.with_suffix(".md"))


if __name__ == "__main__":
    main()
