"""Does a translator of contrasts find more when it sees the slices below and above?

    python benchmarks/translator_context.py --data ../shared/data --out docs/results

Writes translator_context.csv (a row per context, seed and patient, and one of all patients of a cohort) and
translator_context.md from it. Translators learn from the lesion-free slices of the training patients of
glioma/; FLAIR minus its translation is judged on the validation patients and on ms/. `--page` writes the page
anew from the table.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from mixture import CONTRASTS, METRICS, slices
from sklearn.pipeline import make_pipeline
from skorch.callbacks import LRScheduler
from spread import with_spread

from skad.metrics import ScoreHistogram
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import ResidualScorer

FLAIR = CONTRASTS.index("FLAIR")
DISTANCES = {"none": None, "5 mm": 5.0}  # slices of glioma/ are 5 mm apart, those of ms/ 1 mm
SIZE, WIDTH, N_BLOCKS, EPOCHS = 96, 16, 3, 12
ALL = "all"
ERRORS = ("error_normal", "error_lesion")
COLUMNS = ("context", "seed", "seconds", "cohort", "subject", *METRICS, *ERRORS)
HEAD = """\
# Neighboring slices for the translator

`VolumeAnomalyDetector(context=5.0)` shows [ADM](../methods/adm.md)'s translator the other contrasts
of the slices about 5 mm below and above, with the target contrast hidden in all three slices. This
page measures whether that helps. Translators with and without neighbors are trained with the same
seeds on the 372 lesion-free slices of the training patients of `glioma`; neighbors of these may
show a lesion. FLAIR minus its translation, smoothed by 1.5 pixels, is judged on the 13 validation
patients and on `ms`, one patient with slices of 1 mm. The budget was fixed beforehand: {size} x
{size} pixels, width {width}, {n_blocks} residual blocks, {epochs} epochs, a cosine schedule and
bfloat16.

## All pixels

Pixels of all patients of a cohort are pooled. Errors are mean absolute residuals of FLAIR, in
standard deviations of the brain. Mean ± standard deviation over {n_seeds} seeds.
"""
PATIENTS = """
## Patient by patient

With context minus without, average precision of each of the {n} patients of `glioma`, mean over
seeds: {mean:+.3f} on average (standard error {error:.3f}), above zero for {better} of {n} patients.

## Conclusion

No improvement is shown. On gliomas the average precision is lower with neighbors in both seeds, by
less than two standard errors over patients, and the error in normal tissue is the same. On `ms` it
is higher in both seeds, on a single patient and by less than the spread over seeds. `context=None`
remains the default. Longer trainings, wider networks and densities of the residuals were not
measured.

A fit took {seconds} seconds of processor time (without and with context).

Written by `python benchmarks/translator_context.py`.
"""


def detector(seed):
    """FLAIR above its translation."""
    schedule = LRScheduler(policy="CosineAnnealingLR", T_max=EPOCHS)
    translator = ContrastTranslator(
        width=WIDTH,
        n_blocks=N_BLOCKS,
        max_epochs=EPOCHS,
        precision="bf16",
        random_state=seed,
        callbacks=[schedule],
        device="cpu",
    )
    return make_pipeline(translator, ResidualScorer(contrasts=[FLAIR], sign=1, smoothing=1.5, device="cpu"))


def scores(y, anomaly, error):
    """Metrics of some slices, and the error of the translation in normal pixels and in lesions."""
    histogram = ScoreHistogram().update(y, anomaly)
    return {
        "roc_auc": histogram.roc_auc(),
        "average_precision": histogram.average_precision(),
        "best_dice": histogram.best_dice(),
        "error_normal": np.nanmean(error[y == 0]),
        "error_lesion": np.nanmean(error[y > 0]),
    }


def rows_of_stack(fitted, stack, distance):
    """Scores of all slices of a stack, and of each of its patients."""
    pairs = fitted[0].transform(stack.seen_with(distance))
    anomaly = -fitted[1].score_samples(pairs)
    error = np.abs(pairs[:, 0, FLAIR] - pairs[:, 1, FLAIR])
    parts = {ALL: np.ones(len(stack), bool)}
    if len(stack.volumes) > 1:
        parts |= {v.subject: stack.volume_index == i for i, v in enumerate(stack.volumes)}
    for name, rows in parts.items():
        found = scores(stack.y[rows], anomaly[rows], error[rows])
        yield {"subject": name, **{key: round(float(value), 4) for key, value in found.items()}}


def measure(data, n_seeds):
    """The rows of the table, translator by translator."""
    prepare = VolumePreprocessor(size=(SIZE, SIZE))
    training = slices(data / "glioma", CONTRASTS, prepare, "train")
    normal = ~training.y.any(axis=(1, 2))
    judged = {
        "glioma": slices(data / "glioma", CONTRASTS, prepare, "validation"),
        "ms": slices(data / "ms", CONTRASTS, prepare),
    }
    for seed in range(n_seeds):
        for context, distance in DISTANCES.items():
            start = time.process_time()
            fitted = detector(seed).fit(training.seen_with(distance)[normal])
            about = {"context": context, "seed": seed, "seconds": round(time.process_time() - start)}
            yield [
                {**about, "cohort": cohort, **row}
                for cohort, stack in judged.items()
                for row in rows_of_stack(fitted, stack, distance)
            ]


def page(rows):
    """The Markdown page of the rows of the table."""
    pooled = [row for row in rows if row["subject"] == ALL]
    budget = {"size": SIZE, "width": WIDTH, "n_blocks": N_BLOCKS, "epochs": EPOCHS}
    lines = [HEAD.format(n_seeds=len({row["seed"] for row in rows}), **budget)]
    lines += [_line("cohort", "context", *METRICS, "error, normal", "error, lesions"), "|---" * 7 + "|"]
    for cohort in dict.fromkeys(row["cohort"] for row in pooled):
        for context in DISTANCES:
            chosen = [row for row in pooled if (row["cohort"], row["context"]) == (cohort, context)]
            lines.append(_line(cohort, context, *(_mean(chosen, key) for key in (*METRICS, *ERRORS))))
    seconds = [round(np.mean([int(r["seconds"]) for r in pooled if r["context"] == c])) for c in DISTANCES]
    return "\n".join(lines) + "\n" + PATIENTS.format(seconds=" and ".join(map(str, seconds)), **_paired(rows))


def _paired(rows):
    """Differences of the patients' average precision."""
    found = {}
    for row in rows:
        if row["cohort"] == "glioma" and row["subject"] != ALL:
            sign = -1 if row["context"] == "none" else 1
            found.setdefault(row["subject"], []).append(sign * float(row["average_precision"]))
    differences = np.array([2 * np.mean(values) for values in found.values()])
    return {
        "n": len(differences),
        "mean": differences.mean(),
        "error": differences.std(ddof=1) / len(differences) ** 0.5,
        "better": (differences > 0).sum(),
    }


def _mean(rows, key):
    values = [float(row[key]) for row in rows]
    return with_spread(np.mean(values), np.std(values, ddof=1) if len(values) > 1 else np.nan)


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds glioma/ and ms/")
    parser.add_argument("--out", type=Path, required=True, help="where the table and the page go")
    parser.add_argument("--seeds", type=int, default=2, help="default: 2")
    parser.add_argument("--page", action="store_true", help="only write the page, from the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = arguments.out / "translator_context.csv"
    if not arguments.page:
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            for rows in measure(arguments.data, arguments.seeds):
                writer.writerows(rows)
                file.flush()
                print(rows[0], flush=True)
    with open(table, newline="", encoding="utf-8") as file:
        text = page(list(csv.DictReader(file)))
    (arguments.out / "translator_context.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
