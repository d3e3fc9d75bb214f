"""Realized false-positive rates, Dice of calibrated masks and alarms of drift.

    python benchmarks/calibration.py --data ../shared/data/glioma --out docs/results/calibration.md

Simulated brains, and the glioma patients' normal slices. The detector is a Gaussian mixture on three
contrasts, which trains in seconds: what is shown is a property of the calibration, not of the detector.
"""

import argparse
from pathlib import Path

import numpy as np

from skad.calibration import ConformalCalibrator, drift_p_value
from skad.calibration.conformal import (
    largest_score,
    minimum_patients,
    p_value_curve,
    score_tail,
    threshold_at,
)
from skad.calibration.drift import summarize
from skad.datasets import load_bids, make_phantom
from skad.metrics import foreground_best_dice_score
from skad.preprocessing import VolumePreprocessor
from skad.scoring import MixtureScorer

SHAPE, SIZE = (32, 40, 8), (32, 32)
RATES = (0.001, 0.01, 0.05, 0.1)
SAMPLES = {"pixel": score_tail, "volume": largest_score}
SHIFTS = {
    "none (control)": lambda X: X,
    "intensities x 1.3": lambda X: 1.3 * X,
    "intensities x 0.7": lambda X: 0.7 * X,
    "first two contrasts swapped": lambda X: X[:, [1, 0, 2]],
}


def scores_of(detector, stack, change=lambda X: X):
    """Foreground scores of every patient, sorted."""
    anomaly = -detector.score_samples(change(stack.X))
    maps = (anomaly[stack.groups == patient] for patient in dict.fromkeys(stack.groups))
    return [np.sort(each[~np.isnan(each)]) for each in maps]


def share_above(scores, threshold):
    return 1 - np.searchsorted(scores, threshold, side="right") / len(scores)


def realized_rates(patients, unit, n_calibration, n_splits, rng):
    """Mean false-positive rate of the other patients at every rate of RATES, shape (n_splits, n_rates)."""
    samples = [SAMPLES[unit](scores) for scores in patients]
    rates = np.full((n_splits, len(RATES)), np.nan)
    for split in range(n_splits):
        order = rng.permutation(len(patients))
        curve = p_value_curve([samples[i] for i in order[:n_calibration]])
        for column, fpr in enumerate(RATES):
            if n_calibration < minimum_patients(fpr):
                continue
            threshold = threshold_at(fpr, *curve)
            shares = np.array([share_above(patients[i], threshold) for i in order[n_calibration:]])
            rates[split, column] = np.mean(shares > 0 if unit == "volume" else shares)
    return rates


def rate_table(patients, n_splits, seed, sizes=(99, 999)):
    lines = ["| unit | patients | " + " | ".join(f"fpr {fpr:g}" for fpr in RATES) + " |"]
    lines.append("|" + "---|" * (len(RATES) + 2))
    for unit in SAMPLES:
        for n_calibration in sizes:
            if n_calibration >= len(patients):
                continue
            rates = realized_rates(patients, unit, n_calibration, n_splits, np.random.default_rng(seed))
            cells = [_mean_and_band(column) for column in rates.T]
            lines.append(f"| {unit} | {n_calibration} | {' | '.join(cells)} |")
    return lines


def _mean_and_band(rates):
    if np.isnan(rates).any():
        return "refused"
    low, high = np.quantile(rates, (0.025, 0.975))
    return f"{rates.mean():.4f} ({low:.4f} to {high:.4f})"


def dice_table(detector, normal, sick):
    best = foreground_best_dice_score(sick.y, -detector.score_samples(sick.X))
    lines = ["| mask | Dice |", "|---|---|", f"| best threshold, chosen with the labels | {best:.3f} |"]
    n_patients = len(set(normal.groups))
    rates = [fpr for fpr in RATES[1:] if n_patients >= minimum_patients(fpr)]
    calibrator = ConformalCalibrator(detector, fpr=rates[-1]).fit(normal.X, groups=normal.groups)
    lesion = sick.y > 0
    for fpr in rates:
        abnormal = calibrator.set_params(fpr=fpr).predict(sick.X) == -1
        inside = lesion & ~np.isnan(sick.X[:, 0])
        dice = 2 * (abnormal & inside).sum() / (abnormal.sum() + inside.sum())
        lines.append(f"| calibrated, pixel-wise fpr {fpr:g} | {dice:.3f} |")
    return lines


def drift_table(detector, normal, n_runs, seed):
    lines = ["| change | one new patient | ten new patients |", "|---|---|---|"]
    control = np.array([summarize(scores) for scores in scores_of(detector, normal)])
    for name, change in SHIFTS.items():
        changed = np.array([summarize(scores) for scores in scores_of(detector, normal, change)])
        alarms = [alarm_rate(control, changed, n_new, n_runs, seed) for n_new in (1, 10)]
        lines.append(f"| {name} | {alarms[0]:.3f} | {alarms[1]:.3f} |")
    return lines


def alarm_rate(control, changed, n_new, n_runs, seed, n_calibration=40):
    rng = np.random.default_rng(seed)
    alarms = 0
    for run in range(n_runs):
        order = rng.permutation(len(control))[: n_calibration + n_new]
        calibration, new = control[order[n_new:]], changed[order[:n_new]]
        alarms += drift_p_value(calibration, new, random_state=run) <= 0.05
    return alarms / n_runs


def glioma_tables(folder, n_splits, seed):
    """The same on patients: a detector of 24 training patients; normal slices of the other 37 calibrate."""
    volumes = load_bids(folder, contrasts=("T1w", "FLAIR", "ce-gadolinium_T1w"))
    order = np.random.default_rng(seed).permutation(len(volumes))
    first, rest = ([volumes[i] for i in part] for part in (order[:24], order[24:]))
    prepare = VolumePreprocessor(size=(128, 128))
    learned, others = prepare.fit_transform(first), prepare.transform(rest)
    normal_slices = [~stack.y.any(axis=(1, 2)) for stack in (learned, others)]
    detector = MixtureScorer(random_state=seed).fit(learned.X[normal_slices[0]])
    normal = _rows(others, normal_slices[1])
    calibrating = set(list(dict.fromkeys(others.groups))[:19])
    judged = ~np.isin(others.groups, list(calibrating))
    sick = _rows(others, judged)
    sick.y = others.y[judged]
    return [
        *rate_table(scores_of(detector, normal), n_splits, seed, sizes=(19, 29)),
        "",
        "Dice on the patients not used for calibration; the normal slices of 19 were used:",
        "",
        *dice_table(detector, _rows(normal, np.isin(normal.groups, list(calibrating))), sick),
    ]


def report(folder, n_subjects=1220, n_splits=200, seed=0):
    """The page, as Markdown."""
    prepare = VolumePreprocessor(size=SIZE)
    learned = prepare.fit_transform(make_phantom(20, shape=SHAPE, lesion=None, random_state=seed))
    normal = prepare.transform(make_phantom(n_subjects, shape=SHAPE, lesion=None, random_state=seed + 1))
    sick = prepare.transform(make_phantom(40, shape=SHAPE, lesion="glioma", random_state=seed + 2))
    detector = MixtureScorer(random_state=seed).fit(learned.X)
    n_patients = len(set(normal.groups))
    few = np.isin(normal.groups, list(dict.fromkeys(normal.groups))[:200])
    normal_few = _rows(normal, few)
    return [
        "# Calibration",
        "",
        "Made by `python benchmarks/calibration.py --data ../shared/data/glioma "
        "--out docs/results/calibration.md`, "
        "which describes the method. The detector is a Gaussian mixture on three contrasts.",
        "",
        f"## Realized false-positive rates, {n_patients} normal simulated brains, {n_splits} random splits",
        "",
        "Mean over the splits; in brackets, the range of 95 % of them. The guarantee applies to the mean.",
        "",
        *rate_table(scores_of(detector, normal), n_splits, seed),
        "",
        "## Dice of calibrated masks on simulated gliomas",
        "",
        *dice_table(detector, normal_few, sick),
        "",
        f"## Share of {n_splits} runs in which drift is detected, level 0.05, 40 subjects of calibration",
        "",
        *drift_table(detector, normal_few, n_splits, seed),
        "",
        f"## Glioma patients, normal slices only, {n_splits} random splits of 37 patients",
        "",
        *glioma_tables(folder, n_splits, seed),
        "",
        Path(__file__).with_name("calibration_notes.md").read_text(),
    ]


class _rows:
    """Some slices of a stack."""

    def __init__(self, stack, rows):
        self.X, self.groups = stack.X[rows], stack.groups[rows]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the glioma cohort")
    parser.add_argument("--out", type=Path, help="Markdown file; default: print")
    parser.add_argument("--subjects", type=int, default=1220)
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    text = "\n".join(report(arguments.data, arguments.subjects, arguments.splits, arguments.seed))
    if arguments.out:
        arguments.out.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
