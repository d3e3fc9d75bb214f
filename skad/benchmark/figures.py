"""The figures of a study, made from its CSV files and nothing else."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skad.benchmark.results import read_results
from skad.benchmark.study import Study
from skad.plotting import plot_lesion_sizes, plot_roc, save_figure
from skad.plotting.drawing import curve_styles

_FALSE_POSITIVES = np.geomspace(1 / 8, 64, 60)  # per volume, where curves of several seeds are averaged


def write_figures(study: Study, folder: Path) -> list[Path]:
    """Draw the figures of a study from its results and write them as PNG files.

    The files are ``figures/lesion_sizes_*.png`` (A, Fig. 7) and ``froc_*.png`` for every cohort and fold,
    with the methods that the study lists as ``drawn``; ``roc_*.png`` (K, Fig. 6) if the study is
    ``classwise``; and ``singularity_*.png`` (A, Fig. 8) if it names methods for it.

    Parameters
    ----------
    study : Study
        Says which methods are drawn.
    folder : pathlib.Path
        The folder of results that :func:`run_study` wrote.

    Returns
    -------
    list of pathlib.Path
        The files written.

    See Also
    --------
    skad.benchmark.run_study : Writes the results.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.benchmark import parse_study, write_figures
    >>> study = parse_study(
    ...     {
    ...         "seeds": [0],
    ...         "cohort": {"loader": "phantom", "random_state": 0, "folds": {"train": 2, "test": 4}},
    ...         "methods": {"FLAIR": {"class": "IntensityScorer", "contrast": 1}},
    ...     }
    ... )
    >>> write_figures(study, Path(tempfile.mkdtemp()))  # no results yet
    []
    """
    results, paths = read_results(folder), list[Path]()
    drawn = study.drawn or tuple(study.methods)
    shown = [r for r in results["runs"] if r["status"] == "ok" and r["method"] in drawn]
    good = {(r["cohort"], r["method"], r["seed"]) for r in shown}
    plots = {"lesion_sizes": _lesion_sizes, "froc": plot_froc}
    for name, plot in plots.items():
        rows = [r for r in results[name] if (r["cohort"], r["method"], r["seed"]) in good]
        for cohort, fold in dict.fromkeys((row["cohort"], row["fold"]) for row in rows):
            figure = plot([r for r in rows if (r["cohort"], r["fold"]) == (cohort, fold)])
            paths.append(Path(save_figure(figure, folder / "figures" / f"{name}_{cohort}_{fold}.png")))
    roc = [r for r in results["roc"] if (r["cohort"], r["method"], r["seed"]) in good]
    for cohort, fold in dict.fromkeys((row["cohort"], row["fold"]) for row in roc):
        figure = plot_roc(roc_panels([r for r in roc if (r["cohort"], r["fold"]) == (cohort, fold)]))
        paths.append(Path(save_figure(figure, folder / "figures" / f"roc_{cohort}_{fold}.png")))
    for cohort in dict.fromkeys(row["cohort"] for row in results["runs"]) if study.singularity else ():
        chosen = {n: [r for r in results[n] if r["cohort"] == cohort] for n in ("curves", "runs")}
        figure = plot_singularity(chosen["curves"], chosen["runs"], study.singularity)
        paths.append(Path(save_figure(figure, folder / "figures" / f"singularity_{cohort}.png")))
    return paths


def roc_panels(rows):
    """Rows of the table "roc" as what :func:`skad.plotting.plot_roc` draws: a panel per class (K, Fig. 6).

    Parameters
    ----------
    rows : list of dict
        Of one cohort and fold; seeds are averaged at every false positive rate.

    Returns
    -------
    dict of str to dict of str to (fpr, tpr, area)
    """
    curves = {}
    for row in rows:
        of_method = curves.setdefault(f"class {row['label']}", {}).setdefault(row["method"], {})
        of_method.setdefault(row["fpr"], []).append(row["tpr"])
    return {
        label: {
            method: (
                fpr := np.array(list(points)),
                tpr := np.array(list(map(np.mean, points.values()))),
                float(np.trapezoid(tpr, fpr)),
            )
            for method, points in methods.items()
        }
        for label, methods in curves.items()
    }


def _lesion_sizes(rows):
    """The figure of the table "lesion_sizes", of one cohort and fold."""
    return plot_lesion_sizes(size_reports(rows))


def size_reports(rows):
    """Rows of the table "lesion_sizes" as a report per method: ROC-AUC over slices, mean of the seeds.

    Its deviation is that over the slices of a range (A, Fig. 7), mean of the seeds.

    Parameters
    ----------
    rows : list of dict
        Of one cohort and fold.

    Returns
    -------
    dict of str to list of dict
    """
    reports = {}
    for row in rows:
        ranges = reports.setdefault(row["method"], {})
        key = (row["smallest_pixels"], row["largest_pixels"], row["n_slices"])
        ranges.setdefault(key, []).append((row["roc_auc"], row["roc_auc_sd"]))
    return {
        method: [
            {
                "smallest": low,
                "largest": high,
                "n_slices": n,
                "roc_auc": float(np.mean([auc for auc, _ in scores])),
                "roc_auc_sd": float(np.mean([sd for _, sd in scores])),
            }
            for (low, high, n), scores in sorted(ranges.items())
        ]
        for method, ranges in reports.items()
    }


def plot_froc(rows):
    """Share of lesions found over false positives per volume, mean over the seeds.

    Parameters
    ----------
    rows : list of dict
        Of the table "froc", of one cohort and fold.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axis = figure.subplots()
    for name, style in curve_styles(row["method"] for row in rows).items():
        of_method = [row for row in rows if row["method"] == name]
        curves = [
            found_at([r for r in of_method if r["seed"] == seed], _FALSE_POSITIVES)
            for seed in dict.fromkeys(row["seed"] for row in of_method)
        ]
        axis.plot(_FALSE_POSITIVES, np.mean(curves, axis=0), label=name, **style)
    axis.set(
        xscale="log", ylim=(0, 1.01), xlabel="false positives per volume", ylabel="share of lesions found"
    )
    axis.set_xticks([0.125, 1, 8, 64], ["1/8", "1", "8", "64"])
    figure.legend(frameon=False, fontsize="small", loc="outside right upper")
    return figure


def found_at(rows, false_positives):
    """Largest share of lesions found with at most so many false positives per volume.

    Parameters
    ----------
    rows : list of dict
        Of the table "froc", of one run and fold.
    false_positives : array of shape (n,)

    Returns
    -------
    ndarray of shape (n,)
    """
    points = np.array([[row["false_positives"], row["sensitivity"]] for row in rows])
    allowed = points[:, 0] <= np.reshape(false_positives, (-1, 1))
    return np.where(allowed, points[:, 1], 0).max(axis=1)


def plot_singularity(curves, runs, methods):
    """Mean energy of the mixture over the training, a cross where a singular covariance ended it (A, Fig. 8).

    Parameters
    ----------
    curves, runs : list of dict
        The tables of these names, of one cohort.
    methods : sequence of str
        The curves to draw; all seeds of a method look alike.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    styles = curve_styles(methods)
    for run in (run for run in runs if run["method"] in styles):
        rows = [r for r in curves if (r["method"], r["seed"]) == (run["method"], run["seed"])]
        name = "energy" if any(row["loss"] == "energy" for row in rows) else "loss"
        points = [(row["epoch"], row["value"]) for row in rows if row["loss"] == name]
        epochs, values = zip(*points, strict=True) if points else ((), ())
        axis.plot(epochs, values, label=run["method"], **styles[run["method"]])
        if run["status"].startswith("stopped"):
            end = points[-1] if points else (0, np.nan)
            label = f"{run['method']}, seed {run['seed']}: interrupted in epoch {end[0] + 1}"
            height = end[1] if points else 0.5
            where = axis.transData if points else axis.get_xaxis_transform()
            color = styles[run["method"]]["color"]
            axis.plot([end[0]], [height], "x", markersize=9, color=color, transform=where, label=label)
    axis.set(xlabel="epoch", ylabel="mean energy of the training pixels")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    axis.legend(handles.values(), handles.keys(), frameon=False, fontsize="small")
    return figure
