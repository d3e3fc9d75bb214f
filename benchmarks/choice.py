"""Choosing without labels: planted lesions, false positives under a shift, agreement.

    python benchmarks/choice.py --data ../shared/data --out docs/results

Scorers that train in seconds, and small networks that are trained on planted lesions of one family each,
are fitted on normal slices of all hospitals but one (glioma/) or of training patients (stroke/, simulated
brains), ranked by criteria that see no label, and judged by the labels of the validation patients. Writes
choice.csv (a row per cohort and candidate) and choice.md from it; `--page` writes choice.md only.
"""

import argparse
import csv
import textwrap
from itertools import product
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from spread import with_spread

from skad.augmentation import Scanner
from skad.datasets import load_bids, make_phantom
from skad.metrics import foreground_average_precision_score
from skad.model_selection import PseudoAnomalyScorer
from skad.model_selection.pseudo_anomaly import FAMILIES
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer, IntensityScorer, MixtureScorer, SyntheticAnomalyScorer
from skad.training import seeded

THREE = ("T1w", "FLAIR", "ce-gadolinium_T1w")
COHORTS = {"glioma": THREE, "stroke": ("FLAIR",), "phantom": THREE}
UNSEEN = "HT"  # the hospital of glioma/ whose normal slices judge, and that nothing is fitted on
N_SLICES = 48  # to plant into
N_PIXELS = 20_000  # that maps are compared on
N_EPOCHS = 8  # of networks that are trained on planted lesions
BRIGHT = "bright on FLAIR"
TEXT = """\
# Choosing without labels

This page compares criteria that select, without labels, the best of several scorers: intensities,
mixtures, and small networks (width 8, {epochs} epochs) that are trained on planted lesions of one
family each. A criterion is good if its ranking agrees with that of the labels (Spearman's correlation
with average precision) and if its choice loses little against the best candidate (regret, average
precision).

- **planted, mixed**: average precision on synthetic lesions of all families, planted into normal
  slices of patients (of `glioma`: of a hospital) that no candidate was fitted to.
- **planted, bright on FLAIR**: the same, with lesions that are bright on FLAIR and do not show in
  other contrasts (`PseudoAnomalyScorer.for_contrasts`).
- **planted, unseen families**: the mean over the four families, without the one that a network was
  trained on, so that no family is both trained and judged on.
- **planted, worst family**: the score of the family with the lowest score of a candidate.
- **false positives**: minus the share of those normal slices above the threshold that 1 % of the
  training pixels exceed.
- **false positives, other scanners**: the same in views of those slices as other scanners would
  show them (`skad.augmentation.Scanner`: tone curves, blur, resolution, bias, ghosts, noise).
- **agreement**: Spearman's correlation of a candidate's maps with the mean rank of all candidates'
  maps.
- **sums of ranks** of two or three of these.

{verdict} Lesions of either sign in any contrast contain no information about the contrast and sign of
a disease; lesions that are bright on FLAIR state that prior, as the [lesion
ensemble](../methods/lesion_ensemble.md) does, and would mislead for a disease that is dark there.

What was to help without that prior does not: to leave out the family that a network was trained on
ranks no better than the mixed families, and false positives, at the scanners of the training or in
views of others, rank strokes only. Beside the prior they lower the correlation. Agreement ranks
gliomas well and selects the best detector of strokes, but costs 0.4 of average precision on
gliomas.

Written by `python benchmarks/choice.py`; {n} candidates on the cohorts, mean over {n_seeds} seeds
of the synthetic lesions.
"""


def candidates(contrasts):
    """Scorers by name: intensities and conditional tails of either sign, a density."""
    found = {"density": MixtureScorer(random_state=0, max_pixels=40_000)}
    for sign, smoothing in product((1, -1), (0.0, 1.5)):
        for index, name in enumerate(contrasts[:2]):
            found[f"{name} intensity, sign {sign}, smoothing {smoothing}"] = IntensityScorer(
                contrast=index, sign=sign, smoothing=smoothing
            )
        flair = contrasts.index("FLAIR")
        found[f"FLAIR tail, sign {sign}, smoothing {smoothing}"] = ConditionalMixtureScorer(
            contrast=flair, sign=sign, smoothing=smoothing, random_state=0
        )
    for smoothing in (0.75, 2.5):
        found[f"all tails, smoothing {smoothing}"] = ConditionalMixtureScorer(
            smoothing=smoothing, random_state=0
        )
    return found


def networks(contrasts):
    """Small networks that are trained on planted lesions, by the family that they are trained on."""
    bright = PseudoAnomalyScorer.for_contrasts(contrasts).families["bright_lesions"]
    common = {"inputs": ("image",), "width": 8, "depth": 3, "max_epochs": N_EPOCHS, "random_state": 0}
    return {
        name: SyntheticAnomalyScorer(families=[family], **common)
        for name, family in (FAMILIES | {BRIGHT: bright}).items()
    }


def volumes_of(cohort, data):
    """Scans of a cohort with the column `fold`; of "phantom" 36 brains, 12 of them with a glioma."""
    contrasts = COHORTS[cohort]
    if cohort != "phantom":
        return load_bids(data / cohort, contrasts=contrasts)
    simulated = {"contrasts": contrasts, "shape": (96, 112, 24)}
    train = make_phantom(24, lesion=None, random_state=0, **simulated)
    judged = make_phantom(12, random_state=1, **simulated)
    for fold, volumes in (("train", train), ("validation", judged)):
        for volume in volumes:
            volume.info["fold"] = fold
    return train + judged


def slices(volumes):
    """Training and unseen normal slices, patients of the latter, labeled slices and their labels."""
    stack = VolumePreprocessor().fit_transform(volumes)
    of_volume = stack.volume_index
    train = np.array([v.info["fold"] == "train" for v in volumes])[of_volume]
    if any("site" in v.info for v in volumes):
        unseen = np.array([v.info["site"] == UNSEEN for v in volumes])[of_volume]
    else:
        unseen = (np.arange(len(volumes)) % 3 == 0)[of_volume]
    normal = train & ~stack.y.any(axis=(1, 2))
    judged = np.flatnonzero(~train)
    judged = judged[:: max(1, len(judged) // 250)]
    kept = normal & unseen
    return stack.X[normal & ~unseen], stack.X[kept], stack.groups[kept], stack.X[judged], stack.y[judged]


def planted_scores(scorer, X, patients, contrasts, seed, trained_on):
    """Average precision on synthetic lesions, by criterion."""
    settings = {"n_slices": N_SLICES, "random_state": seed}
    families = PseudoAnomalyScorer(per_family=True, **settings).score(scorer, X, groups=patients)
    bright = PseudoAnomalyScorer.for_contrasts(contrasts, **settings).score(scorer, X, groups=patients)
    mixed = families.pop("mixed")
    return {
        "planted, mixed": mixed,
        "planted, bright on FLAIR": bright,
        "planted, unseen families": np.mean([v for name, v in families.items() if name != trained_on]),
        "planted, worst family": min(families.values()),
    }


def false_positives(scorer, X):
    """Minus the share of the pixels above the scorer's threshold."""
    above = -scorer.score_samples(X) > -scorer.offset_
    return -above.sum() / np.count_nonzero(~np.isnan(X[:, 0]))


def of_other_scanners(X):
    """The slices as other scanners would show them."""
    images = torch.from_numpy(np.nan_to_num(X).astype(np.float32))
    foreground = torch.from_numpy(~np.isnan(X[:, :1]))
    with seeded(0):
        views = torch.cat(
            [Scanner()(*each) for each in zip(images.split(8), foreground.split(8), strict=True)]
        )
    return np.where(np.isnan(X), np.nan, views.numpy())


def rows_of(cohort, data, n_seeds):
    """What every criterion says of every candidate, and its average precision on real lesions."""
    contrasts = COHORTS[cohort]
    X_train, X_unseen, patients, X, y = slices(volumes_of(cohort, data))
    inside = np.flatnonzero(~np.isnan(X[:, 0]))
    chosen = np.random.default_rng(0).choice(inside, min(N_PIXELS, len(inside)), replace=False)
    views = of_other_scanners(X_unseen)
    plain = [(name, None, scorer) for name, scorer in candidates(contrasts).items()]
    trained = [(f"network, {family}", family, scorer) for family, scorer in networks(contrasts).items()]
    rows, maps = [], []
    for name, trained_on, scorer in plain + trained:
        scorer.fit(X_train)
        anomaly = -scorer.score_samples(X)
        maps.append(anomaly.ravel()[chosen])
        row = {
            "cohort": cohort,
            "candidate": name,
            "trained on": trained_on or "",
            "labels": foreground_average_precision_score(y, anomaly),
            "false positives": false_positives(scorer, X_unseen),
            "false positives, other scanners": false_positives(scorer, views),
        }
        for seed in range(n_seeds):
            planted = planted_scores(scorer, X_unseen, patients, contrasts, seed, trained_on)
            rows.append(row | {"seed": seed} | planted)
        print(f"{cohort}: {name}", flush=True)
    consensus = np.mean([rankdata(each) for each in maps], axis=0)
    agreement = [spearmanr(each, consensus).statistic for each in maps]
    for row, value in zip(rows, np.repeat(agreement, n_seeds), strict=True):
        row["agreement"] = value
    return rows


SINGLE = (
    "planted, mixed",
    "planted, bright on FLAIR",
    "planted, unseen families",
    "planted, worst family",
    "false positives",
    "false positives, other scanners",
    "agreement",
)
SUMS = (
    ("planted, bright on FLAIR", "agreement"),
    ("planted, bright on FLAIR", "false positives"),
    ("planted, bright on FLAIR", "false positives, other scanners"),
    ("planted, unseen families", "false positives, other scanners"),
    ("planted, mixed", "agreement"),
    ("planted, mixed", "false positives"),
    ("planted, mixed", "false positives", "agreement"),
)


def page(rows):
    """The Markdown page of the rows of choice.csv."""
    cohorts, seeds = (list(dict.fromkeys(row[key] for row in rows)) for key in ("cohort", "seed"))
    counts = ", ".join(
        str(sum(row["cohort"] == cohort and row["seed"] == seeds[0] for row in rows)) for cohort in cohorts
    )
    head = [f"{cohort}: {what}" for cohort in cohorts for what in ("Spearman", "regret")]
    lines, reached = [_line("criterion", *head), "|" + "---|" * (1 + len(head))], []
    for keys in [(key,) for key in SINGLE] + list(SUMS):
        name = " + ".join(keys)
        values = np.array([[_quality(rows, keys, cohort, seed) for cohort in cohorts] for seed in seeds])
        mean, deviation = values.mean(axis=0), values.std(axis=0, ddof=1)
        cells = [
            with_spread(*each)
            for each in zip(mean.ravel(), deviation.ravel(), (2, 3) * len(cohorts), strict=True)
        ]
        lines.append(_line(name, *cells))
        if (mean[:, 0] >= 0.8).all() and (mean[:, 1] <= 0.02).all():
            reached.append(f'"{name}"')
    verdict = "The target was a correlation of 0.8 and a regret of 0.02 on every cohort. "
    verdict += f"It is reached by {', '.join(reached)}." if reached else "No criterion reaches it."
    text = TEXT.format(epochs=N_EPOCHS, n=counts, n_seeds=len(seeds), verdict=verdict)
    paragraphs = [_wrapped(each) for each in text.split("\n\n")]
    return "\n\n".join([*paragraphs, "\n".join(lines)]) + "\n"


def _wrapped(paragraph):
    return paragraph if paragraph.startswith(("#", "-")) else textwrap.fill(paragraph, 100)


def _quality(rows, keys, cohort, seed):
    """Rank correlation with the labels, and loss of the choice, for a sum of ranks."""
    chosen = [row for row in rows if row["cohort"] == cohort and row["seed"] == seed]
    labels = np.array([float(row["labels"]) for row in chosen])
    score = sum(rankdata([float(row[key]) for row in chosen]) for key in keys)
    return spearmanr(score, labels).statistic, labels.max() - labels[score.argmax()]


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds glioma/ and stroke/")
    parser.add_argument("--out", type=Path, required=True, help="where choice.csv and choice.md go")
    parser.add_argument("--seeds", type=int, default=3, help="of the synthetic lesions; default: 3")
    parser.add_argument("--page", action="store_true", help="only write the page, from choice.csv")
    arguments = parser.parse_args()
    table = arguments.out / "choice.csv"
    if not arguments.page:
        rows = [row for cohort in COHORTS for row in rows_of(cohort, arguments.data, arguments.seeds)]
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    (arguments.out / "choice.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
