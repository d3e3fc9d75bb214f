"""Whether the methods of a finished study learned what they should: guards, losses, one picture of each.

    skad benchmark benchmarks/studies/stroke.toml --data ../shared/data --out results/stroke
    python benchmarks/sanity.py stroke --results results/stroke --data ../shared/data

Reads what `skad benchmark` left in results/stroke/work. Writes guards.csv, guards_of_densities.csv (of
density methods) and losses.csv to docs/results/rows/STUDY, and to docs/images STUDY-sanity.png (references
and maps of one slice of the test fold, first seed) and STUDY-losses.png (all seeds).
"""

import argparse
import textwrap
from pathlib import Path

import numpy as np
from guards import Trained, guard_tables, guards_of
from matplotlib.figure import Figure

from skad.benchmark import read_study
from skad.benchmark.judging import PICTURES
from skad.benchmark.layout import Layout, Step, is_done
from skad.benchmark.results import read_rows, write_rows
from skad.benchmark.slices import CohortSlices
from skad.benchmark.stages import FITTED
from skad.persistence import load
from skad.plotting import save_figure
from skad.plotting.drawing import GRAYS_PERCENT, MAP_COLORS, TRUTH_COLOR

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
_MAP_PERCENT = (50, 99.8)
_COLUMNS = 6


def layout_of(name, results, data):
    """The folders of a study whose search, if it has one, is finished."""
    study = read_study(HERE / "studies" / f"{name}.toml", data=data)
    tried = read_rows(results / "tuning.csv") if study.tuning else []
    chosen = {row["method"]: row["configuration"] - 1 for row in tried if row["chosen"]}
    return Layout(study.with_chosen(chosen), results)


def runs_of(layout, components, *, is_method):
    """Finished steps of the references or methods, by name, and their folders."""
    (cohort,) = layout.study.trained
    used = needed(layout.study) | set(layout.study.methods)
    for name, component in components.items():
        for seed in component.seeds if name in used else ():
            folder = layout.folder(step := Step(cohort, name, seed, is_method))
            if is_done(folder):
                yield step, folder


def curves_of(folder):
    """Losses of a step: name to values of the epochs."""
    curves = {}
    for row in read_rows(folder / "curves.csv"):
        curves.setdefault(row["loss"], []).append(row["value"])
    return curves


def trained(step, folder, layout, y):
    """What a guard looks at, of a finished step."""
    pairs = None if step.is_method else np.load(folder / "test.npy", mmap_mode="r")
    slices = CohortSlices(layout.cohort_folder(step.cohort))
    return Trained(load(folder / FITTED), curves_of(folder), slices, y, pairs)


def needed(study):
    """Names of the references that its methods need, others among them."""
    names, todo = set(), list(study.methods.values())
    while todo:
        new = set(todo.pop().needs) & set(study.references) - names
        names |= new
        todo += [study.references[name] for name in new]
    return names


def losses_figure(losses):
    """A panel per training, its loss over the epochs; one line per seed."""
    names = list(dict.fromkeys(row["name"] for row in losses))
    figure = Figure(figsize=(1.7 * _COLUMNS, 1.7 * -(-len(names) // _COLUMNS)), layout="constrained")
    axes = figure.subplots(-(-len(names) // _COLUMNS), _COLUMNS, squeeze=False).ravel()
    for axis in axes[len(names) :]:
        axis.remove()
    for axis, name in zip(axes, names, strict=False):
        for seed in sorted({row["seed"] for row in losses if row["name"] == name}):
            values = [r["value"] for r in losses if (r["name"], r["seed"]) == (name, seed)]
            axis.plot(range(1, len(values) + 1), values, linewidth=1, color=f"C{seed}")
        axis.set_title(textwrap.fill(name, 24), fontsize="small")
        axis.tick_params(labelsize="x-small")
    return figure


def main_loss(curves):
    """The loss that says whether a training went well: of a game, the error of reconstruction."""
    for name in ("reconstruction_error", "encoder_loss", "loss", *curves):
        if name in curves:
            return curves[name]
    return []


def picture(layout, y, contrast):
    """References and maps of the slice with the largest lesion among those kept by the study."""
    (cohort,) = layout.study.trained
    slices = CohortSlices(layout.cohort_folder(cohort))
    maps, row, place = {}, None, None
    for step, folder in runs_of(layout, layout.study.methods, is_method=True):
        if step.seed == layout.study.methods[step.name].seeds[0] and (folder / PICTURES).exists():
            with np.load(folder / PICTURES) as kept:
                if place is None:
                    place = int((y[kept["rows"]] > 0).sum(axis=(1, 2)).argmax())
                row, maps[step.name] = int(kept["rows"][place]), kept["anomaly"][place]
    shown = {"image": slices.X("test")[row, contrast]}
    for step, folder in runs_of(layout, layout.study.references, is_method=False):
        if step.seed == layout.study.seeds[0]:
            shown[f"reference: {step.name}"] = np.load(folder / "test.npy", mmap_mode="r")[row, 1, contrast]
    return panels(shown, maps, y[row] > 0)


def panels(shown, maps, lesion):
    """Images in gray with the outline of the lesion, then maps, each in colors of its own."""
    n_rows = [-(-len(each) // _COLUMNS) for each in (shown, maps)]
    figure = Figure(figsize=(1.5 * _COLUMNS, 1.9 * sum(n_rows)), layout="constrained")
    axes = figure.subplots(sum(n_rows), _COLUMNS, squeeze=False)
    grays = np.nanpercentile(shown["image"], GRAYS_PERCENT)
    for axis in axes.ravel():
        axis.axis("off")
    for axis, (name, image) in zip(axes[: n_rows[0]].ravel(), shown.items(), strict=False):
        panel(axis, image, lesion, "gray", grays)
        axis.set_title(textwrap.fill(name, 24), fontsize="x-small")
    for axis, (name, anomaly) in zip(axes[n_rows[0] :].ravel(), maps.items(), strict=False):
        panel(axis, anomaly, lesion, MAP_COLORS, np.nanpercentile(anomaly, _MAP_PERCENT))
        axis.set_title(textwrap.fill(name, 24), fontsize="x-small")
    return figure


def panel(axis, values, lesion, colors, limits):
    """Values between two limits, the lower one in the background, and the outline of the lesion."""
    low, high = limits
    axis.imshow(np.nan_to_num(values, nan=low), cmap=colors, vmin=low, vmax=high)
    axis.contour(lesion, [0.5], colors=TRUTH_COLOR, linewidths=0.6)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="its name in benchmarks/studies")
    parser.add_argument("--results", type=Path, required=True, help="the folder that skad benchmark wrote")
    parser.add_argument("--data", type=Path, help="as skad benchmark was given")
    parser.add_argument("--contrast", type=int, default=0, help="index of the one that is drawn")
    arguments = parser.parse_args()
    layout = layout_of(arguments.study, arguments.results, arguments.data)
    (cohort,) = layout.study.trained
    y = np.array(CohortSlices(layout.cohort_folder(cohort)).y("test"))
    runs = [
        *runs_of(layout, layout.study.references, is_method=False),
        *runs_of(layout, layout.study.methods, is_method=True),
    ]
    guards = [
        {"name": step.name, "seed": step.seed, "guard": guard, "value": value}
        for step, folder in runs
        if (folder / FITTED).exists()
        for guard, value in guards_of(trained(step, folder, layout, y)).items()
    ]
    losses = [
        {"name": step.name, "seed": step.seed, "epoch": epoch, "value": float(f"{value:.6g}")}
        for step, folder in runs
        for epoch, value in enumerate(main_loss(curves_of(folder)), start=1)
    ]
    rows = DOCS / "results" / "rows" / arguments.study
    rows.mkdir(parents=True, exist_ok=True)
    for name, table in zip(("guards", "guards_of_densities"), guard_tables(guards), strict=True):
        if table:
            write_rows(table, rows / f"{name}.csv")
    write_rows(losses, rows / "losses.csv")
    save_figure(picture(layout, y, arguments.contrast), DOCS / "images" / f"{arguments.study}-sanity.png")
    save_figure(losses_figure(losses), DOCS / "images" / f"{arguments.study}-losses.png")


if __name__ == "__main__":
    main()
