"""What a Gaussian mixture finds without a network: with a cohort, without one, with both.

    python benchmarks/mixture.py --data ../shared/data --out docs/results

Writes mixture.csv (a row per normalization, method, cohort and seed) and mixture.md from it. Detectors learn
from the lesion-free slices of the training patients of glioma/ (and stroke/ for itself) and are judged on the
validation patients, on ms/ and on stroke/. `--page` writes mixture.md anew from mixture.csv.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.base import clone
from spread import with_spread
from weighing import weighed_stack

from skad.datasets import load_bids
from skad.metrics import ScoreHistogram
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer, IntensityScorer
from skad.single_subject import TRIMMED

CONTRASTS = ("T1w", "FLAIR", "ce-gadolinium_T1w")
SIZES = {"1-3": (1, 3), "4-11": (4, 11), "12-27": (12, 27), "28-": (28, np.inf)}
WEIGHED = ("cohort", "own volume", "less abnormal of both")
METRICS = ("roc_auc", "average_precision", "best_dice")
HEAD = """\
# The conditional mixture: baselines

These tables show how well a Gaussian mixture detects lesions without any network
([method](../methods/conditional_mixture.md)). It is fitted to the lesion-free slices of the
training patients: gliomas for `glioma` (validation patients) and `ms`, strokes for `stroke`. "own
volume" is fitted to the scored patient only; "less abnormal of both" is the smaller value of the
cohort's map and the patient's own. "Local prevalence" weighs a map by the [prevalence of
lesions](../methods/local_prevalence.md) around each pixel: with z-scores, "cohort, local
prevalence" is what `skad fit` and `skad score` compute without `--method`, and "own volume, local
prevalence" what `skad quick` does. Pixels of all patients of a cohort are pooled: AUC / average
precision / best Dice, mean ± standard deviation over {n_seeds} seeds.

The share trimmed from a patient's own volume (20 %) was chosen on the training patients' lesions,
the neighborhood of the prevalence (24 mm) on the patients of these tables (every fourth of
`stroke`); no other choice used a label. A patient's own volume holds few pixels, so that its fit
depends on the seed most.

Written by `python benchmarks/mixture.py`.
"""
SIZES_TEXT = """
## Lesions found, by size

Share of lesions (connected pixels of a slice) with a pixel above the threshold that 1 % of the
cohort's normal pixels exceed; z-scores.
"""
COSTS_TEXT = """
## Costs

Seconds of processor time (one core): fitting to a cohort; fitting to and scoring one patient's own
volume, mean over patients.
"""


def slices(folder, contrasts, prepare, fold=None):
    """The slices of a fold."""
    volumes = [v for v in load_bids(folder, contrasts=contrasts) if fold in (None, v.info.get("fold"))]
    if not hasattr(prepare, "contrasts_"):
        prepare.fit(volumes)
    return prepare.transform(volumes)


def own_maps(scorer, X, volumes):
    """Maps of every volume from a scorer that is fitted to it."""
    anomaly = np.empty((len(X), *X.shape[2:]), dtype=np.float32)
    for index in np.unique(volumes):
        rows = volumes == index
        anomaly[rows] = -clone(scorer).fit(X[rows]).score_samples(X[rows])
    return anomaly


def detectors(contrasts, seed):
    """Scorers that learn from a cohort, by name."""
    flair = contrasts.index("FLAIR")
    found = {
        "FLAIR, smoothed": IntensityScorer(contrast=flair),
        "cohort": ConditionalMixtureScorer.for_contrasts(contrasts, random_state=seed),
        "cohort, smoothed twice (0.75 and 2.5 px)": ConditionalMixtureScorer.for_contrasts(
            contrasts, smoothing=(0.75, 2.5), random_state=seed
        ),
    }
    if len(contrasts) > 1:
        found["cohort, every contrast, both tails"] = ConditionalMixtureScorer(random_state=seed)
    return found


def scores(y, anomaly):
    """Metrics of all pixels, and the share of lesions found by size at 1 % false positives."""
    histogram = ScoreHistogram().update(y, anomaly)
    threshold = np.nanquantile(anomaly[y == 0], 0.99)
    found = {name: [] for name in SIZES}
    for labels, scores_of_slice in zip(y, anomaly, strict=True):
        lesions, n = ndimage.label(labels > 0)
        sizes = np.bincount(lesions.ravel(), minlength=n + 1)[1:]
        hit = np.isin(np.arange(1, n + 1), lesions[scores_of_slice > threshold])
        for name, (least, most) in SIZES.items():
            found[name] += hit[(sizes >= least) & (sizes <= most)].tolist()
    return {
        "roc_auc": histogram.roc_auc(),
        "average_precision": histogram.average_precision(),
        "best_dice": histogram.best_dice(),
        **{f"found_{name}": float(np.mean(each)) if each else np.nan for name, each in found.items()},
        **{f"n_{name}": len(each) for name, each in found.items()},
    }


def rows_of(data, intensity, contrasts, train, tests, n_seeds):
    """Rows of all methods under one normalization, of detectors that learn from one cohort."""
    prepare = VolumePreprocessor(intensity=intensity)
    training = slices(data / train, contrasts, prepare, "train")
    normal = training.X[~training.y.any(axis=(1, 2))]
    judged = {cohort: slices(data / cohort, contrasts, prepare, fold) for cohort, fold in tests.items()}
    for seed in range(n_seeds):
        own = ConditionalMixtureScorer.for_contrasts(contrasts, trimmed=TRIMMED, random_state=seed)
        fitted, costs = {}, {}
        for name, scorer in detectors(contrasts, seed).items():
            start = time.process_time()
            fitted[name] = scorer.fit(normal)
            costs[name] = time.process_time() - start
        for cohort, stack in judged.items():
            maps = {name: -scorer.score_samples(stack.X) for name, scorer in fitted.items()}
            if len(contrasts) > 1:  # of one contrast in one slice there is nothing but ranks to learn
                start = time.process_time()
                maps["own volume"] = own_maps(own, stack.X, stack.volume_index)
                costs["own volume"] = (time.process_time() - start) / len(stack.volumes)
                maps["less abnormal of both"] = np.minimum(maps["cohort"], maps["own volume"])
            for name in [name for name in WEIGHED if name in maps]:
                maps[f"{name}, local prevalence"] = weighed_stack(maps[name], stack)
            for name, anomaly in maps.items():
                cost = costs.get(name, np.nan)
                yield {
                    "normalization": intensity,
                    "method": name,
                    "cohort": cohort,
                    "seed": seed,
                    "seconds": round(cost, 2),
                    **{key: round(value, 4) for key, value in scores(stack.y, anomaly).items()},
                }


def page(rows):
    """The Markdown page of the rows of mixture.csv."""
    lines = [HEAD.format(n_seeds=len({row["seed"] for row in rows}))]
    cohorts = list(dict.fromkeys(row["cohort"] for row in rows))
    for title, intensity in (("Z-scores", "zscore"), ("Landmarks", "whitematter")):
        lines += ["", f"## {title}", "", _line("method", *cohorts), "|" + "---|" * (1 + len(cohorts))]
        chosen = [row for row in rows if row["normalization"] == intensity]
        for method in dict.fromkeys(row["method"] for row in chosen):
            cells = [_mean(chosen, method, cohort, METRICS) for cohort in cohorts]
            lines.append(_line(method, *cells))
    lines.append(SIZES_TEXT)
    chosen = [row for row in rows if row["normalization"] == "zscore"]
    keys = [f"found_{name}" for name in SIZES]
    lines += [_line("cohort", "method", *(f"{name} px" for name in SIZES)), "|" + "---|" * (2 + len(SIZES))]
    for cohort in cohorts:
        counts = next(row for row in chosen if row["cohort"] == cohort)
        lines.append(_line(cohort, "lesions", *(counts[f"n_{name}"] for name in SIZES)))
        for method in dict.fromkeys(row["method"] for row in chosen if row["cohort"] == cohort):
            lines.append(_line(cohort, method, *(_mean(chosen, method, cohort, [key]) for key in keys)))
    lines += [COSTS_TEXT, _line("method", *cohorts), "|" + "---|" * (1 + len(cohorts))]
    for method in ("cohort", "own volume"):
        lines.append(_line(method, *(_mean(chosen, method, cohort, ["seconds"]) for cohort in cohorts)))
    return "\n".join(lines) + "\n"


def _mean(rows, method, cohort, keys):
    found = [row for row in rows if (row["method"], row["cohort"]) == (method, cohort)]
    if not found:
        return "-"
    values = [[float(row[key]) for row in found] for key in keys]
    return " / ".join(with_spread(np.mean(each), np.std(each, ddof=1)) for each in values)


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder that holds glioma/, ms/, stroke/"
    )
    parser.add_argument("--out", type=Path, required=True, help="where mixture.csv and mixture.md go")
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--page", action="store_true", help="only write the page, from mixture.csv")
    arguments = parser.parse_args()
    table = arguments.out / "mixture.csv"
    if not arguments.page:
        rows = []
        for intensity in ("zscore", "whitematter"):
            tests = {"glioma": "validation", "ms": None}
            rows += rows_of(arguments.data, intensity, CONTRASTS, "glioma", tests, arguments.seeds)
            tests = {"stroke": "validation"}
            rows += rows_of(arguments.data, intensity, ("FLAIR",), "stroke", tests, arguments.seeds)
        with open(table, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    with open(table, newline="", encoding="utf-8") as file:
        (arguments.out / "mixture.md").write_text(page(list(csv.DictReader(file))), encoding="utf-8")


if __name__ == "__main__":
    main()
