"""What ADM computes its density from, of one slice of a finished study (A, Figs. 3b and 4b).

    skad benchmark benchmarks/studies/adm.toml --data ../shared/data --out results/adm
    python benchmarks/features.py adm --results results/adm --data ../shared/data

Draws docs/images/STUDY-features.png: the contrasts of the test slice with the largest lesion, each translated
from the others, the error of the translation, and the learned features of the method "ADM", first seed.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sanity import DOCS, layout_of, panel

from skad.benchmark.layout import Step
from skad.benchmark.slices import CohortSlices
from skad.benchmark.stages import FITTED
from skad.persistence import load
from skad.plotting import save_figure
from skad.plotting.drawing import GRAYS_PERCENT, MAP_COLORS

METHOD = "ADM"


def shown(layout):
    """Rows of panels, name to maps (n, height, width), and the lesion of the slice."""
    (cohort,) = layout.study.trained
    method = layout.study.methods[METHOD]
    reference = layout.folder(Step(cohort, method.reference, method.seeds[0]))
    labels = CohortSlices(layout.cohort_folder(cohort)).y("test")
    row = int((labels > 0).sum(axis=(1, 2)).argmax())
    pair = np.array(np.load(reference / "test.npy", mmap_mode="r")[row : row + 1])
    scorer = load(layout.folder(Step(cohort, METHOD, method.seeds[0], True)) / FITTED)
    image, translation = pair[0]
    learned = scorer.transform(pair)[0, -scorer.n_features :]
    rows = {"X": image, "translated": translation, "error": np.abs(image - translation), "learned": learned}
    return rows, labels[row] > 0


def draw(rows, contrasts, lesion):
    """One row of panels for each kind, columns in the order of the contrasts."""
    height, width = lesion.shape
    figure = Figure(figsize=(1.6 * len(contrasts), 1.75 * len(rows) * height / width), layout="constrained")
    axes = figure.subplots(len(rows), len(contrasts), squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for line, (kind, maps) in zip(axes, rows.items(), strict=True):
        for number, (axis, values) in enumerate(zip(line, maps, strict=False)):
            gray = kind in ("X", "translated")
            limits = np.nanpercentile(rows["X"][number] if gray else values, GRAYS_PERCENT)
            panel(axis, values, lesion, "gray" if gray else MAP_COLORS, limits)
            name = f"feature {number + 1}" if kind == "learned" else contrasts[number]
            axis.set_title(f"{kind}: {name}", fontsize="xx-small")
    return figure


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="its name in benchmarks/studies, with a method ADM")
    parser.add_argument("--results", type=Path, required=True, help="the folder that skad benchmark wrote")
    parser.add_argument("--data", type=Path, help="as skad benchmark was given")
    arguments = parser.parse_args()
    layout = layout_of(arguments.study, arguments.results, arguments.data)
    (cohort,) = layout.study.trained
    rows, lesion = shown(layout)
    figure = draw(rows, layout.study.cohorts[cohort].arguments["contrasts"], lesion)
    save_figure(figure, DOCS / "images" / f"{arguments.study}-features.png")


if __name__ == "__main__":
    main()
