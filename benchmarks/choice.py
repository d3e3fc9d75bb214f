"""Choosing without labels, second try: planted lesions, false positives under a shift, agreement.

    python benchmarks/choice.py --data ../shared/data --out docs/results

Scorers that train in seconds are fitted on normal slices of all hospitals but one (glioma/) or of training
patients (stroke/, simulated brains), ranked by criteria that see no label, and judged by the labels of the
validation patients. Writes choice.csv (a row per cohort and candidate) and choice.md from it.
"""

import argparse
import csv
import textwrap
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from skad.datasets import load_bids, make_phantom
from skad.metrics import foreground_average_precision_score
from skad.model_selection import PseudoAnomalyScorer
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer, IntensityScorer, MixtureScorer

THREE = ("T1w", "FLAIR", "ce-gadolinium_T1w")
COHORTS = {"glioma": THREE, "stroke": ("FLAIR",), "phantom": THREE}
UNSEEN = "HT"  # the hospital of glioma/ whose normal slices judge, and that nothing is fitted on
N_SLICES = 48  # to plant into
N_PIXELS = 20_000  # that maps are compared on
TEXT = """\
# Choosing without labels, second try

This page compares criteria that select, without labels, the best of several scorers that train in
seconds. A criterion is good if its ranking agrees with that of the labels (Spearman's correlation
with average precision) and if its choice loses little against the best candidate (regret, average
precision). [Choosing without labels](selection.md) reports the first study, with networks.

- **planted, mixed**: average precision on synthetic lesions of all families, planted into normal
  slices of patients (of `glioma`: of a hospital) that no candidate was fitted to.
- **planted, bright on FLAIR**: the same, with lesions that are bright on FLAIR and do not show in
  other contrasts (`PseudoAnomalyScorer.for_contrasts`).
- **planted, worst family**: the same, for the family with the lowest score of a candidate.
- **false positives**: minus the share of those normal slices above the threshold that 1 % of the
  training pixels exceed.
- **agreement**: Spearman's correlation of a candidate's maps with the mean rank of all candidates'
  maps.
- **sums of ranks** of two or three of these.

{verdict} Lesions of either sign in any contrast contain no information about the contrast and sign of
a disease; lesions that are bright on FLAIR state that prior, as the [lesion
ensemble](../methods/lesion_ensemble.md) does, and would mislead for a disease that is dark there.

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


def planted_scores(scorer, X, patients, contrasts, seed):
    """Average precision on synthetic lesions, by criterion."""
    settings = {"n_slices": N_SLICES, "random_state": seed}
    families = PseudoAnomalyScorer(per_family=True, **settings).score(scorer, X, groups=patients)
    bright = PseudoAnomalyScorer.for_contrasts(contrasts, **settings).score(scorer, X, groups=patients)
    return {
        "planted, mixed": families.pop("mixed"),
        "planted, bright on FLAIR": bright,
        "planted, worst family": min(families.values()),
    }


def rows_of(cohort, data, n_seeds):
    """What every criterion says of every candidate, and its average precision on real lesions."""
    contrasts = COHORTS[cohort]
    X_train, X_unseen, patients, X, y = slices(volumes_of(cohort, data))
    inside = np.flatnonzero(~np.isnan(X[:, 0]))
    chosen = np.random.default_rng(0).choice(inside, min(N_PIXELS, len(inside)), replace=False)
    rows, maps = [], []
    for name, scorer in candidates(contrasts).items():
        scorer.fit(X_train)
        anomaly = -scorer.score_samples(X)
        maps.append(anomaly.ravel()[chosen])
        above = -scorer.score_samples(X_unseen) > -scorer.offset_
        row = {
            "cohort": cohort,
            "candidate": name,
            "labels": foreground_average_precision_score(y, anomaly),
            "false positives": -above.sum() / np.count_nonzero(~np.isnan(X_unseen[:, 0])),
        }
        for seed in range(n_seeds):
            rows.append(row | {"seed": seed} | planted_scores(scorer, X_unseen, patients, contrasts, seed))
    consensus = np.mean([rankdata(each) for each in maps], axis=0)
    agreement = [spearmanr(each, consensus).statistic for each in maps]
    for row, value in zip(rows, np.repeat(agreement, n_seeds), strict=True):
        row["agreement"] = value
    return rows


SINGLE = (
    "planted, mixed",
    "planted, bright on FLAIR",
    "planted, worst family",
    "false positives",
    "agreement",
)
SUMS = (
    ("planted, bright on FLAIR", "agreement"),
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
            f"{m:.{digits}f}" + f" ± {d:.{digits}f}" * bool(d > 0.5 * 10**-digits)
            for m, d, digits in zip(mean.ravel(), deviation.ravel(), (2, 3) * len(cohorts), strict=True)
        ]
        lines.append(_line(name, *cells))
        if (mean[:, 0] >= 0.8).all() and (mean[:, 1] <= 0.02).all():
            reached.append(f'"{name}"')
    verdict = "The target was a correlation of 0.8 and a regret of 0.02 on every cohort. "
    verdict += f"It is reached by {', '.join(reached)}." if reached else "No criterion reaches it."
    text = TEXT.format(n=counts, n_seeds=len(seeds), verdict=verdict)
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
    arguments = parser.parse_args()
    table = arguments.out / "choice.csv"
    rows = [row for cohort in COHORTS for row in rows_of(cohort, arguments.data, arguments.seeds)]
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.out / "choice.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
