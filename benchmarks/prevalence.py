"""How the constants of the local prevalence matter, on maps of the mixture that `skad fit` trains.

    python benchmarks/prevalence.py --data ../shared/data --out docs/results

Writes prevalence.csv (a row per variant and cohort) and prevalence.md from it. The variants change one
constant at a time; threshold-free cluster enhancement, within slices, is there for comparison. The cohorts
are those that the constants were chosen on, and simulated patients with many small lesions.
"""

import argparse
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from mixture import CONTRASTS, METRICS, slices
from scipy import ndimage
from weighing import of_volumes, pixel_sizes

from skad.datasets import make_phantom
from skad.metrics import ScoreHistogram
from skad.postprocessing import add_local_prevalence, prevalence
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer
from skad.utils.tables import write_table

SIGMAS = (6.0, 12.0, 16.0, 24.0, 32.0, 48.0)
CONSTANTS = {
    "_EXPONENT": (0.05, 0.3, 0.5),
    "_PREVALENCE": (0.01, 0.05, 0.2),
    "_RETAINED": (0.1, 0.5),
    "_SCALES": ((1.0,), (1.0, 0.5, 0.25)),
}
NAMES = {
    "_EXPONENT": "exponent a",
    "_PREVALENCE": "first prevalence",
    "_RETAINED": "share of the previous prevalence",
    "_SCALES": "neighborhoods, relative to 24 mm",
}
LEVELS = np.linspace(0, 12, 41)[1:]  # of the clusters, in -log p
TEXT = """\
# Local prevalence: its constants

These tables show how the constants of the [local prevalence](../methods/local_prevalence.md) change
what the conditional mixture of `skad fit` finds: AUC / average precision / best Dice of all pixels
of the validation patients with gliomas, of the patient with multiple sclerosis, and of every fourth
validation patient with a stroke (FLAIR only). The constants of skad (24 mm, exponent 0.1, first
prevalence 0.1, a share of 0.2, two neighborhoods) were chosen on these patients, with the maps of
the lesion ensemble in view; the eight simulated patients with multiple sclerosis (`make_phantom`),
whose lesions take up 0.1 % of the brain, were looked at afterwards. For comparison: threshold-free
cluster enhancement (TFCE, Smith and Nichols 2009) within slices, which integrates the extent of
clusters to the power E times the level to the power H.

Written by `python benchmarks/prevalence.py`.
"""


def variants():
    """Changes of the maps of one volume, by name."""
    yield "map as it is", lambda maps, positions, pixel_size: maps
    for sigma in SIGMAS:
        yield f"{sigma:g} mm", partial(add_local_prevalence, sigma=sigma)
    for constant, values in CONSTANTS.items():
        for value in values:
            yield f"{NAMES[constant]}: {_text(value)}", partial(_with_constant, constant, value)
    for extent, height in ((0.5, 2.0), (0.25, 1.0)):
        yield f"TFCE, E = {extent:g}, H = {height:g}", partial(tfce, extent=extent, height=height)


def _text(value):
    return ", ".join(f"{each:g}" for each in np.atleast_1d(value))


def _with_constant(constant, value, maps, positions, pixel_size):
    with patch.object(prevalence, constant, value):
        return add_local_prevalence(maps, positions, pixel_size, 24.0)


def tfce(maps, positions, pixel_size, *, extent, height):
    """Threshold-free cluster enhancement within slices (8-connected)."""
    enhanced = np.zeros_like(maps)
    for image, result in zip(np.nan_to_num(maps, nan=-1.0), enhanced, strict=True):
        for level in LEVELS:
            clusters, _ = ndimage.label(image >= level, np.ones((3, 3)))
            sizes = np.bincount(clusters.ravel())
            result += np.where(clusters > 0, sizes[clusters] ** extent * level**height, 0)
    return np.where(np.isnan(maps), np.nan, enhanced)


def cohorts(data):
    """Normal slices to learn from, contrasts, and the stacks that are judged, by name."""
    for cohort, contrasts, others in (("glioma", CONTRASTS, ("ms",)), ("stroke", ("FLAIR",), ())):
        prepare = VolumePreprocessor()
        training = slices(data / cohort, contrasts, prepare, "train")
        judged = {cohort: slices(data / cohort, contrasts, prepare, "validation")}
        judged |= {name: slices(data / name, contrasts, prepare) for name in others}
        yield training, contrasts, judged
    prepare = VolumePreprocessor()
    normal, ill = (
        make_phantom(8, shape=(90, 108, 60), lesion=lesion, random_state=seed)
        for lesion, seed in ((None, 0), ("ms", 5))
    )
    yield prepare.fit_transform(normal), normal[0].contrasts, {"simulated ms": prepare.transform(ill)}


def measure(data):
    """Rows of the table."""
    for training, contrasts, judged in cohorts(data):
        scorer = ConditionalMixtureScorer.for_contrasts(contrasts, random_state=0)
        scorer.fit(training.X[~training.y.any(axis=(1, 2))])
        for name, stack in judged.items():
            chosen = np.arange(len(stack.volumes))[:: 4 if name == "stroke" else 1]
            rows = np.isin(stack.volume_index, chosen)
            maps = -scorer.score_samples(stack.X[rows])
            where = [each[rows] for each in (stack.volume_index, stack.positions, pixel_sizes(stack))]
            for variant, change in variants():
                histogram = ScoreHistogram().update(stack.y[rows], of_volumes(change, maps, *where))
                scores = {metric: round(getattr(histogram, metric)(), 4) for metric in METRICS}
                yield {"variant": variant, "cohort": name, **scores}


def page(rows):
    """The Markdown page of the rows."""
    names = list(dict.fromkeys(row["cohort"] for row in rows))
    lines = [TEXT, f"| variant | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for variant in dict.fromkeys(row["variant"] for row in rows):
        found = {row["cohort"]: row for row in rows if row["variant"] == variant}
        cells = [" / ".join(f"{float(found[c][metric]):.3f}" for metric in METRICS) for c in names]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    """Parse the command line, measure, and write table and page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder that holds glioma/, ms/, stroke/"
    )
    parser.add_argument("--out", type=Path, required=True, help="where prevalence.csv and prevalence.md go")
    arguments = parser.parse_args()
    rows = list(measure(arguments.data))
    write_table(rows, arguments.out / "prevalence.csv")
    (arguments.out / "prevalence.md").write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
