"""Choosing without labels, second try: planted lesions, false positives under a shift, agreement.

    python benchmarks/choice.py --data ../shared/data --out docs/results

Scorers that train in seconds are fitted on normal slices of all hospitals but one (glioma/) or of training
patients (stroke/), ranked by criteria that see no label, and judged by the labels of the validation patients.
Writes choice.csv (a row per cohort and candidate) and choice.md from it.
"""

import argparse
import csv
from itertools import product
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, spearmanr

from skad.datasets import load_bids
from skad.metrics import foreground_average_precision_score
from skad.model_selection import PseudoAnomalyScorer
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer, IntensityScorer, MixtureScorer

COHORTS = {"glioma": ("T1w", "FLAIR", "ce-gadolinium_T1w"), "stroke": ("FLAIR",)}
UNSEEN = "HT"  # the hospital of glioma/ whose normal slices judge, and that nothing is fitted on
PLANTED = PseudoAnomalyScorer(per_family=True, n_slices=48, random_state=0)
N_PIXELS = 20_000  # that maps are compared on
TEXT = """\
# Choosing without labels, second try

This page compares criteria that select, without labels, the best of several scorers that train in
seconds. A criterion is good if its ranking agrees with that of the labels (Spearman's correlation
with average precision) and if its choice loses little against the best candidate (regret, average
precision). [Choosing without labels](selection.md) reports the first study, with networks.

- **planted, mixed**: average precision on synthetic lesions of all families, planted into normal
  slices of patients (of `glioma`: of a hospital) that no candidate was fitted to.
- **planted, worst family**: the same, for the family with the lowest score of a candidate.
- **false positives**: minus the share of those normal slices above the threshold that 1 % of the
  training pixels exceed.
- **agreement**: Spearman's correlation of a candidate's maps with the mean rank of all candidates'
  maps.
- **sums of ranks** of two or three of these.

The target was a correlation of 0.8 and a regret of 0.02 on every cohort. No criterion, and no sum
of ranks, reaches both on both cohorts: synthetic lesions contain no information about the contrast
and sign of a disease.

Written by `python benchmarks/choice.py`; {n} candidates, one seed.
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


def slices(folder, contrasts):
    """Training and unseen normal slices, patients of the latter, labeled slices and their labels."""
    volumes = load_bids(folder, contrasts=contrasts)
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


def rows_of(cohort, folder, contrasts):
    """What every criterion says of every candidate, and its average precision on real lesions."""
    X_train, X_unseen, patients, X, y = slices(folder, contrasts)
    inside = np.flatnonzero(~np.isnan(X[:, 0]))
    chosen = np.random.default_rng(0).choice(inside, min(N_PIXELS, len(inside)), replace=False)
    rows, ranks = [], []
    for name, scorer in candidates(contrasts).items():
        scorer.fit(X_train)
        anomaly = -scorer.score_samples(X)
        ranks.append(rankdata(anomaly.ravel()[chosen]))
        planted = PLANTED.score(scorer, X_unseen, groups=patients)
        mixed = planted.pop("mixed")
        above = -scorer.score_samples(X_unseen) > -scorer.offset_
        rows.append(
            {
                "cohort": cohort,
                "candidate": name,
                "labels": foreground_average_precision_score(y, anomaly),
                "planted, mixed": mixed,
                "planted, worst family": min(planted.values()),
                "false positives": -above.sum() / np.count_nonzero(~np.isnan(X_unseen[:, 0])),
            }
        )
    consensus = np.mean(ranks, axis=0)
    for row, each in zip(rows, ranks, strict=True):
        row["agreement"] = spearmanr(each, consensus).statistic
    return rows


SINGLE = ("planted, mixed", "planted, worst family", "false positives", "agreement")
SUMS = (
    ("planted, mixed", "agreement"),
    ("planted, mixed", "false positives"),
    ("planted, mixed", "false positives", "agreement"),
)


def page(rows):
    """The Markdown page of the rows of choice.csv."""
    cohorts = list(dict.fromkeys(row["cohort"] for row in rows))
    counts = " and ".join(str(sum(row["cohort"] == cohort for row in rows)) for cohort in cohorts)
    head = [f"{cohort}: {what}" for cohort in cohorts for what in ("Spearman", "regret")]
    lines = [TEXT.format(n=counts), _line("criterion", *head), "|" + "---|" * (1 + len(head))]
    for keys in [(key,) for key in SINGLE] + list(SUMS):
        cells = []
        for cohort in cohorts:
            chosen = [row for row in rows if row["cohort"] == cohort]
            labels = np.array([float(row["labels"]) for row in chosen])
            score = sum(rankdata([float(row[key]) for row in chosen]) for key in keys)
            cells += [
                f"{spearmanr(score, labels).statistic:.2f}",
                f"{labels.max() - labels[score.argmax()]:.3f}",
            ]
        lines.append(_line(" + ".join(keys), *cells))
    return "\n".join(lines) + "\n"


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds glioma/ and stroke/")
    parser.add_argument("--out", type=Path, required=True, help="where choice.csv and choice.md go")
    arguments = parser.parse_args()
    table = arguments.out / "choice.csv"
    rows = [
        row
        for cohort, contrasts in COHORTS.items()
        for row in rows_of(cohort, arguments.data / cohort, contrasts)
    ]
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (arguments.out / "choice.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
