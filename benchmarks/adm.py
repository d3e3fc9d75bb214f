"""ADM on real patients: the table of the glioma cohort, floors first.

    python benchmarks/adm.py --data ../shared/data/glioma --out docs/results/adm.md

Protocol: fit on the lesion-free slices of the training patients, score the validation patients. Every
training runs in a process of its own, so that time and peak memory are its own; finished ones are kept in
``--work`` and not repeated.
"""

import argparse
import platform
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from adm_rows import REFERENCES, ROWS
from costs import once

import skad
from skad.datasets import load_bids
from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
    per_group,
)
from skad.preprocessing import VolumePreprocessor

CONTRASTS = ("T1w", "FLAIR", "ce-gadolinium_T1w")


@dataclass
class Cohort:
    """Slices of both folds; ``train`` holds lesion-free slices only."""

    train: np.ndarray
    validation: np.ndarray
    y: np.ndarray
    groups: np.ndarray


@dataclass
class Result:
    """One training, scored: metrics, cost."""

    metrics: dict
    minutes: float
    gigabytes: float
    maps: np.ndarray = field(repr=False, default=None)


def load_cohort(folder):
    """Slices by the protocol: each contrast of a patient to zero mean and unit variance inside the brain."""
    volumes = load_bids(folder, contrasts=CONTRASTS)
    train = [v for v in volumes if v.info["fold"] == "train"]
    validation = [v for v in volumes if v.info["fold"] == "validation"]
    prepare = VolumePreprocessor(voxel_size=None, size=(128, 128), intensity="zscore")
    fitted = prepare.fit_transform(train)
    held_out = prepare.transform(validation)
    normal = ~fitted.y.any(axis=(1, 2))
    return Cohort(fitted.X[normal], held_out.X, held_out.y, held_out.groups)


def evaluate(cohort, maps):
    """The four numbers of the protocol."""
    per_patient = per_group(foreground_roc_auc_score, cohort.y, maps, cohort.groups)
    return {
        "AUC": foreground_roc_auc_score(cohort.y, maps),
        "AP": foreground_average_precision_score(cohort.y, maps),
        "Dice": foreground_best_dice_score(cohort.y, maps),
        "patient AUC": per_patient["mean"],
        "patient AUC sd": per_patient["sd"],
    }


def make_reference(work, name, seed):
    """Fit a reconstructor and write the references of both folds."""
    cohort = _read_cohort(work)
    estimator = REFERENCES[name](seed).fit(cohort.train)
    folder = work / f"reference-{name}-{seed}"
    folder.mkdir(exist_ok=True)
    for fold in ("train", "validation"):
        np.save(folder / f"{fold}.npy", estimator.reconstruct(getattr(cohort, fold)))
    skad.save(estimator, folder / "reference.skad")


def make_maps(work, row_name, seed):
    """Fit a scorer on the training fold's pairs (or images); write the validation fold's anomaly maps."""
    cohort, row = _read_cohort(work), ROWS[row_name]
    inputs = {"train": cohort.train, "validation": cohort.validation}
    if row.reference:
        folder = work / f"reference-{row.reference}-{seed}"
        inputs = {fold: np.stack([X, np.load(folder / f"{fold}.npy")], axis=1) for fold, X in inputs.items()}
    scorer = row.scorer(seed).fit(inputs["train"])
    np.save(work / f"maps-{row_name}-{seed}.npy", -scorer.score_samples(inputs["validation"]))


def run_row(work, cohort, name, seed):
    """Metrics and cost of one row with one seed."""
    costs = []
    if reference := ROWS[name].reference:
        costs.append(once(work / f"reference-{reference}-{seed}.json", make_reference, work, reference, seed))
    costs.append(once(work / f"maps-{name}-{seed}.json", make_maps, work, name, seed))
    maps = np.load(work / f"maps-{name}-{seed}.npy")
    minutes, gigabytes = sum(c["minutes"] for c in costs), max(c["gigabytes"] for c in costs)
    return Result(evaluate(cohort, maps), minutes, gigabytes, maps)


def run_ensemble(cohort, results):
    """The mean of the seeds' maps, each standardised over the foreground."""
    standardised = [(r.maps - np.nanmean(r.maps)) / np.nanstd(r.maps) for r in results]
    return Result(
        evaluate(cohort, np.mean(standardised, axis=0)),
        sum(r.minutes for r in results),
        max(r.gigabytes for r in results),
    )


def _write_cohort(work, folder):
    cohort = load_cohort(folder)
    np.savez(work / "cohort.npz", **vars(cohort))


def _read_cohort(work):
    with np.load(work / "cohort.npz") as arrays:
        return Cohort(**arrays)


def _line(title, results):
    def cell(key, spread=True):
        values = [r.metrics[key] for r in results]
        sd = f" ± {np.std(values, ddof=1):.3f}" if spread and len(values) > 1 else ""
        return f"{np.mean(values):.3f}{sd}"

    patient = f"{cell('patient AUC', False)} ± {np.mean([r.metrics['patient AUC sd'] for r in results]):.3f}"
    cost = f"{np.mean([r.minutes for r in results]):.1f} | {np.max([r.gigabytes for r in results]):.1f}"
    return (
        f"| {title} | {len(results)} | {cell('AUC')} | {cell('AP')} | {cell('Dice')} | {patient} | {cost} |"
    )


def table(work, cohort, seeds, names):
    """The Markdown table: a line per row, the mean and standard deviation over the seeds."""
    lines = [
        "| score | seeds | AUC | average precision | best Dice | per-patient AUC | minutes | peak GB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        row = ROWS[name]
        results = [run_row(work, cohort, name, seed) for seed in seeds[: row.n_seeds]]
        lines.append(_line(row.title, results))
        print(lines[-1], flush=True)
        if row.ensemble and len(results) > 1:
            lines.append(
                _line(f"{row.title}: mean of the {len(results)} seeds' maps", [run_ensemble(cohort, results)])
            )
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the cohort, participants.tsv with a column fold"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/adm.md"))
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/adm"), help="finished trainings")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), default=list(ROWS))
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "cohort.npz").exists():
        _write_cohort(work, arguments.data)
    cohort = _read_cohort(work)
    rows = table(work, cohort, arguments.seeds, arguments.rows)
    text = (Path(__file__).parent / "adm_template.md").read_text()
    machine = f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    counts = f"{len(cohort.train)} training slices, {len(cohort.validation)} validation slices"
    arguments.out.write_text(text.format(table=rows, machine=machine, counts=counts))


if __name__ == "__main__":
    main()
