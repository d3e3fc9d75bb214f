"""Choosing without labels: does the score on planted lesions rank detectors as lesion labels do?

    python benchmarks/selection.py --data ../shared/data/glioma --out docs/results/selection.md

Detectors on one translator are fitted on normal slices of some patients and scored on lesions planted into
normal slices of others; labels of a third group judge the choice. Glioma patients, and simulated brains with
six kinds of lesion.
"""

import argparse
import platform
from itertools import product
from pathlib import Path

import joblib
import numpy as np
import torch
from costs import once
from scipy.stats import spearmanr

import skad
from skad.datasets import load_bids, make_phantom
from skad.metrics import foreground_average_precision_score
from skad.model_selection import PseudoAnomalyScorer
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import IntensityScorer, JointDRGMM, MixtureScorer, ResidualScorer
from skad.synthetic import Blobs

CONTRASTS = ("T1w", "FLAIR", "ce-gadolinium_T1w")
FLAIR = 1
LESIONS = ("glioma", "metastasis", "cavity", "stroke", "ms", "structural")
PLANTED = PseudoAnomalyScorer(per_family=True, n_slices=72, random_state=0)
# what is known of the disease, said in the planting
KNOWN = PseudoAnomalyScorer(families={"bright": Blobs(signs=(0, 1, 0))}, n_slices=72, random_state=0)


def detectors(epochs):
    """The grid, name -> scorer of pairs: ADM's lambda, sign, components and smoothing; other scorers."""
    grid = {}
    for residual, smoothing, weight, n_components in product(
        ("absolute", "signed"), (0.0, 1.5), (5e-4, 5e-3), (3, 6)
    ):
        grid[f"ADM {residual}, smoothing {smoothing}, lambda {weight:g}, {n_components} components"] = (
            JointDRGMM(
                residual=residual,
                smoothing=smoothing,
                energy_weight=weight,
                n_components=n_components,
                max_epochs=epochs,
                precision="bf16",
                random_state=0,
            )
        )
    for residual, smoothing in product(("absolute", "signed"), (0.0, 2.5)):
        grid[f"ADM_ct {residual}, smoothing {smoothing}"] = JointDRGMM(
            features="residual", residual=residual, smoothing=smoothing, max_epochs=epochs, random_state=0
        )
    for sign, smoothing in product((None, 1, -1), (0.0, 1.5)):
        grid[f"FLAIR residual, sign {sign}, smoothing {smoothing}"] = ResidualScorer(
            sign=sign, contrasts=[FLAIR], smoothing=smoothing
        )
    grid["all residuals, l1, smoothing 1.5"] = ResidualScorer(smoothing=1.5)
    grid["all residuals, ssim"] = ResidualScorer(metric="ssim")
    for sign, smoothing in product((1, -1), (0.0, 1.5)):
        grid[f"FLAIR intensity, sign {sign}, smoothing {smoothing}"] = OnImages(
            IntensityScorer(contrast=FLAIR, sign=sign, smoothing=smoothing)
        )
    grid["mixture on intensities"] = OnImages(MixtureScorer(random_state=0))
    return grid


class OnImages:
    """A scorer of images among scorers of pairs."""

    def __init__(self, scorer):
        self.scorer = scorer

    def fit(self, pairs):
        self.scorer.fit(pairs[:, 0])
        return self

    def score_samples(self, pairs):
        return self.scorer.score_samples(pairs[:, 0])


class AfterReference:
    """A reference and a scorer as one detector of images; references of the same images are made once."""

    def __init__(self, reference, scorer, made):
        self.reference, self.scorer, self.made = reference, scorer, made

    def score_samples(self, X):
        key = joblib.hash(X)
        if key not in self.made:
            self.made[key] = self.reference.transform(X)
        return self.scorer.score_samples(self.made[key])


def glioma_cohort(folder):
    """Normal slices to fit and to plant into; labelled slices of other patients, judged as one kind."""
    volumes = load_bids(folder, contrasts=CONTRASTS)
    train = [v for v in volumes if v.info["fold"] == "train"]
    prepare = VolumePreprocessor(voxel_size=None, size=(128, 128), intensity="zscore").fit(train)
    return _cohort(
        prepare, train[:-10], train[-10:], {"glioma": [v for v in volumes if v.info["fold"] == "validation"]}
    )


def phantom_cohort(folder):
    """The same of simulated brains; every kind of lesion in other ones."""
    grid = {"shape": (80, 96, 16), "contrasts": CONTRASTS}
    normal = make_phantom(20, lesion=None, random_state=0, **grid)
    prepare = VolumePreprocessor(voxel_size=None, size=(96, 96), intensity="zscore").fit(normal)
    judged = {kind: make_phantom(4, lesion=kind, random_state=1, **grid) for kind in LESIONS}
    return _cohort(prepare, normal[:14], normal[14:], judged)


def _cohort(prepare, fit, plant, judged):
    fit, plant = prepare.transform(fit), prepare.transform(plant)
    normal, free = (~each.y.any(axis=(1, 2)) for each in (fit, plant))
    kinds = {kind: prepare.transform(volumes) for kind, volumes in judged.items()}
    return {
        "fit": fit.X[normal],
        "plant": plant.X[free],
        "patients": plant.groups[free],
        "judged": {kind: (stack.X, stack.y) for kind, stack in kinds.items()},
    }


COHORTS = {"glioma": glioma_cohort, "phantom": phantom_cohort}


def measure(work, name, data):
    """Label-free and labelled average precision of every detector of the grid."""
    cohort = COHORTS[name](data)
    translator = ContrastTranslator(width=8, max_epochs=12, precision="bf16", random_state=0)
    translator.fit(cohort["fit"])
    pairs, made, rows = translator.transform(cohort["fit"]), {}, []
    for title, scorer in detectors(epochs=5).items():
        detector = AfterReference(translator, scorer.fit(pairs), made)
        planted = {"X": cohort["plant"], "groups": cohort["patients"]}
        scores = PLANTED.score(detector, **planted)
        scores["known to be bright on FLAIR"] = KNOWN.score(detector, **planted)
        row = {"detector": title} | {f"planted {family}": score for family, score in scores.items()}
        for kind, (X, y) in cohort["judged"].items():
            row[f"labelled {kind}"] = foreground_average_precision_score(y, -detector.score_samples(X))
        rows.append(row)
        print(name, row, flush=True)
    joblib.dump(rows, work / f"{name}.joblib")


def choice_table(rows):
    """Per kind of lesion and planted family: rank correlation, and what the label-free choice costs."""
    families = [key for key in rows[0] if key.startswith("planted ")]
    kinds = [key for key in rows[0] if key.startswith("labelled ")]
    lines = [
        "| lesions | planted | Spearman | best of grid | label-free choice | regret | median of grid |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, family in product(kinds, families):
        planted, labelled = (np.array([row[key] for row in rows]) for key in (family, kind))
        chosen, best = labelled[planted.argmax()], labelled.max()
        lines.append(
            f"| {kind.removeprefix('labelled ')} | {family.removeprefix('planted ')} "
            f"| {spearmanr(planted, labelled).statistic:.2f} | {best:.3f} | {chosen:.3f} "
            f"| {best - chosen:.3f} | {np.median(labelled):.3f} |"
        )
    return "\n".join(lines)


def grid_table(rows):
    """Every detector: average precision on the mixed planted lesions and on the labelled ones."""
    kinds = [key for key in rows[0] if key.startswith("labelled ")]
    lines = [f"| detector | planted, mixed | {' | '.join(k.removeprefix('labelled ') for k in kinds)} |"]
    lines.append("|---|---|" + "---|" * len(kinds))
    for row in sorted(rows, key=lambda row: -row["planted mixed"]):
        cells = " | ".join(f"{row[kind]:.3f}" for kind in kinds)
        lines.append(f"| {row['detector']} | {row['planted mixed']:.3f} | {cells} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the glioma cohort")
    parser.add_argument("--out", type=Path, default=Path("docs/results/selection.md"))
    parser.add_argument("--work", type=Path, default=Path("benchmarks/work/selection"))
    parser.add_argument("--only", choices=COHORTS, help="measure one cohort, write no table")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    parts = {"machine": f"{platform.machine()}, torch {torch.__version__}, skad {skad.__version__}"}
    for name in [arguments.only] if arguments.only else COHORTS:
        cost = once(arguments.work / f"{name}.json", measure, arguments.work, name, arguments.data)
        rows = joblib.load(arguments.work / f"{name}.joblib")
        parts |= {f"{name}_choice": choice_table(rows), f"{name}_grid": grid_table(rows)}
        all_contrasts = [row for row in rows if not row["detector"].startswith("FLAIR")]
        parts[f"{name}_impartial"] = choice_table(all_contrasts)
        parts |= {f"{name}_minutes": f"{cost['minutes']:.0f}", "n_detectors": len(rows)}
    if not arguments.only:
        template = Path(__file__).with_name("selection_template.md").read_text()
        arguments.out.write_text(template.format(**parts))


if __name__ == "__main__":
    main()
