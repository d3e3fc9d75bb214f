"""Whether the methods of a finished study learned what they should: guards, losses, one picture of each.

    skad benchmark benchmarks/studies/stroke.toml --data ../shared/data --out results/stroke
    python benchmarks/sanity.py stroke --results results/stroke --data ../shared/data

Reads what `skad benchmark` left in results/stroke/work, and writes docs/results/rows/STUDY/guards.csv and
losses.csv, docs/images/STUDY-sanity.png (references and maps of one slice of the test fold, first seed) and
docs/images/STUDY-losses.png (all seeds).
"""

import argparse
import textwrap
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from skad.benchmark import read_study
from skad.benchmark.judging import PICTURES
from skad.benchmark.layout import Layout, Step, is_done
from skad.benchmark.results import read_rows, write_rows
from skad.benchmark.slices import CohortSlices
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
    for name, component in components.items():
        for seed in component.seeds:
            folder = layout.folder(step := Step(cohort, name, seed, is_method))
            if is_done(folder):
                yield step, folder


def curves_of(folder):
    """Losses of a step: name to values of the epochs."""
    curves = {}
    for row in read_rows(folder / "curves.csv"):
        curves.setdefault(row["loss"], []).append(row["value"])
    return curves


def last_third(values):
    """The values of the last third of the epochs."""
    return np.array(values[-max(1, len(values) // 3) :])


def total_variation(images):
    """Mean absolute difference of neighboring pixels of the foreground."""
    steps = [np.abs(np.diff(images, axis=axis)) for axis in (-2, -1)]
    return sum(np.nansum(each) for each in steps) / sum((~np.isnan(each)).sum() for each in steps)


def guards_of(layout, step, folder, y):
    """Rows of what a training should show, by the class of its estimator."""
    table, curves = layout.component(step).table, curves_of(folder)
    found = {}
    if table["class"] == "IntroVAEReconstructor":
        share = last_third(curves["share_inside_margin"]).mean()
        found["share of reconstructions inside the margin, last third"] = share
    if table["class"] == "DeepSVDDScorer":
        loss = curves["loss"]
        found["loss of the last third over that of the first epoch"] = last_third(loss).mean() / loss[0]
        early, late = np.array_split(last_third(loss), 2)
        found["fall within the last third, share of the first epoch"] = (early.mean() - late.mean()) / loss[0]
    if table["class"] == "GMVAEReconstructor":
        images, references = np.moveaxis(np.load(folder / "test.npy", mmap_mode="r"), 1, 0)
        lesion = (y > 0) & ~np.isnan(images[:, 0])
        changed = np.abs(images - references)[:, 0][lesion].mean() / np.nanstd(images)
        found["change inside lesions, share of the images' spread"] = changed
        fall = 1 - total_variation(references) / total_variation(images)
        found["fall of the total variation, share"] = fall
    return [{"name": step.name, "seed": step.seed, "guard": g, "value": float(v)} for g, v in found.items()]


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
        axis.imshow(np.nan_to_num(image, nan=grays[0]), cmap="gray", vmin=grays[0], vmax=grays[1])
        axis.contour(lesion, [0.5], colors=TRUTH_COLOR, linewidths=0.6)
        axis.set_title(textwrap.fill(name, 24), fontsize="x-small")
    for axis, (name, anomaly) in zip(axes[n_rows[0] :].ravel(), maps.items(), strict=False):
        low, high = np.nanpercentile(anomaly, _MAP_PERCENT)
        axis.imshow(np.nan_to_num(anomaly, nan=low), cmap=MAP_COLORS, vmin=low, vmax=high)
        axis.contour(lesion, [0.5], colors=TRUTH_COLOR, linewidths=0.6)
        axis.set_title(textwrap.fill(name, 24), fontsize="x-small")
    return figure


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
    guards = [row for step, folder in runs for row in guards_of(layout, step, folder, y)]
    losses = [
        {"name": step.name, "seed": step.seed, "epoch": epoch, "value": float(f"{value:.6g}")}
        for step, folder in runs
        for epoch, value in enumerate(main_loss(curves_of(folder)), start=1)
    ]
    rows = DOCS / "results" / "rows" / arguments.study
    rows.mkdir(parents=True, exist_ok=True)
    write_rows(guards, rows / "guards.csv")
    write_rows(losses, rows / "losses.csv")
    save_figure(picture(layout, y, arguments.contrast), DOCS / "images" / f"{arguments.study}-sanity.png")
    save_figure(losses_figure(losses), DOCS / "images" / f"{arguments.study}-losses.png")


if __name__ == "__main__":
    main()
