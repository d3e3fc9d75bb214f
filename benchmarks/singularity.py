"""Joint training, eigenvalue floor and penalty where the learned features can be singular (A, 2.7, Fig. 8).

    python benchmarks/singularity.py run docs/results --data ../shared/data
    python benchmarks/singularity.py page docs/results
    python benchmarks/singularity.py features docs/results --data ../shared/data

A reduces four contrasts to three features. Covariances become singular where the features have a dimension
that the data do not fill. Each row of singularity.csv is one training: gliomas, three contrasts, to 2 and 4
features; multiple sclerosis, four contrasts, to 3 and 5; three seeds. `run` skips what is in the CSV. Slices
of 64 x 64 pixels, small networks: about ten minutes of CPU. `features` repeats one training whose covariance
becomes nearly singular and draws its features (A, Fig. 8a-b).
"""

import argparse
import csv
import json
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from skad.benchmark.stages import curves_of_checkpoints
from skad.datasets import load_bids
from skad.metrics import ScoreHistogram
from skad.mixture import SingularCovarianceError
from skad.plotting import save_figure
from skad.plotting.drawing import curve_styles
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import JointDRGMM
from skad.training import checkpoint_in

CONTRASTS = {
    "glioma": ("T1w", "FLAIR", "ce-gadolinium_T1w"),
    "ms": ("T1w", "FLAIR", "T2w", "ce-gadolinium_T1w"),
}
SEEDS = (0, 1, 2)
EPOCHS = {"glioma": 6, "ms": 20}
EVERY = {"glioma": 4, "ms": 1}  # of the slices without a lesion
_EVERY_PIXEL = 10  # of the features is drawn
KEEPING = ("floor", "penalty", "none")
SETTINGS = ("cohort", "method", "n_features", "energy_weight", "singularity", "seed")
RESULTS = ("status", "epochs", "smallest_eigenvalue", "energy", "roc_auc", "average_precision")


def settings():
    """What is trained, as rows without results."""
    runs = [("glioma", "ADM_dr", n, 5e-4, keeping) for n in (4, 2) for keeping in KEEPING]
    runs += [("glioma", method, 4, 5e-4, "floor") for method in ("ADM", "ADM_woj")]
    runs += [("ms", "ADM_dr", n, 5e-4, keeping) for n in (3, 5) for keeping in KEEPING]
    runs += [("ms", "ADM_dr", 3, 0.5, keeping) for keeping in ("floor", "none")]
    return [dict(zip(SETTINGS, (*run, seed), strict=True)) for run in runs for seed in SEEDS]


def slices(data, cohort):
    """Slices to learn from, and images and labels of other patients to be judged on, where there are any."""
    volumes = load_bids(data / cohort, contrasts=CONTRASTS[cohort])
    prepare = VolumePreprocessor(size=(64, 64)).fit(volumes)
    train = prepare.transform([v for v in volumes if v.info.get("fold") != "validation"])
    normal = train.X[~train.y.any(axis=(1, 2))][:: EVERY[cohort]]
    others = [v for v in volumes if v.info.get("fold") == "validation"]
    if not others:
        return normal, None, None
    test = prepare.transform(others)
    return normal, test.X[::2], test.y[::2]


def trained(row, X):
    """The fitted scorer or None, its curves, and how its training ended."""
    scorer = JointDRGMM(
        n_features=row["n_features"],
        energy_weight=row["energy_weight"],
        features="latent" if row["method"] == "ADM_dr" else "both",
        joint=row["method"] != "ADM_woj",
        singularity=row["singularity"],
        width=8,
        batch_size=8,
        max_epochs=EPOCHS[row["cohort"]],
        random_state=row["seed"],
    )
    with tempfile.TemporaryDirectory() as folder, checkpoint_in(Path(folder)):
        try:
            scorer.fit(X)
        except SingularCovarianceError:
            histories = list(curves_of_checkpoints(Path(folder)).values())
            return None, histories[0] if histories else {"energy": []}
    return scorer, scorer.history_


def results_of(row, X, test, y):
    """A row with its results."""
    scorer, history = trained(row, X)
    found = dict.fromkeys(RESULTS, "") | {"status": "ok" if scorer else "singular"}
    found |= {"epochs": len(history["energy"]), "curve": json.dumps([round(e, 4) for e in history["energy"]])}
    if scorer is None:
        return row | found
    found["energy"] = round(history["energy"][-1], 4)
    found["smallest_eigenvalue"] = f"{np.linalg.eigvalsh(scorer.covariances_).min():.2g}"
    if y is not None:
        histogram = ScoreHistogram().update(y, -scorer.score_samples(test))
        found["roc_auc"] = round(histogram.roc_auc(), 4)
        found["average_precision"] = round(histogram.average_precision(), 4)
    return row | found


def run(data, path):
    """Train what is not in the CSV, and write a row after each training."""
    done = read(path) if path.exists() else []
    known = {tuple(str(row[key]) for key in SETTINGS) for row in done}
    todo = [row for row in settings() if tuple(str(row[key]) for key in SETTINGS) not in known]
    for cohort in dict.fromkeys(row["cohort"] for row in todo):
        X, test, y = slices(data, cohort)
        pairs = {}
        for row in (row for row in todo if row["cohort"] == cohort):
            given, judged = X, test
            if row["method"] != "ADM_dr":
                if row["seed"] not in pairs:
                    pairs[row["seed"]] = _pairs(X, test, row["seed"])
                given, judged = pairs[row["seed"]]
            done.append(results_of(row, given, judged, y))
            write(done, path)
            print({key: value for key, value in done[-1].items() if key != "curve"}, flush=True)


def _pairs(X, test, seed):
    translator = ContrastTranslator(width=8, n_blocks=1, max_epochs=12, random_state=seed).fit(X)
    return translator.transform(X), translator.transform(test)


def read(path):
    """Rows of the CSV."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(rows, path):
    """Write the rows as CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def table(rows):
    """Rows of the table of the page: one per setting, mean and standard deviation over the seeds."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in SETTINGS[:-1]), []).append(row)
    for (cohort, method, n_features, weight, singularity), group in groups.items():
        well = [row for row in group if row["status"] == "ok"]
        lowest = min((float(row["smallest_eigenvalue"]) for row in well), default=None)
        yield {
            "cohort": f"{cohort}, {len(CONTRASTS[cohort])} to {n_features}",
            "method": method if float(weight) == 5e-4 else f"{method}, lambda {weight}",
            "singularity": singularity,
            "ended well": f"{len(well)} of {len(group)}",
            "smallest eigenvalue": "-" if lowest is None else f"{lowest:.1e}",
            "AUC": _mean(well, "roc_auc"),
            "AP": _mean(well, "average_precision"),
        }


def _mean(rows, name):
    values = [float(row[name]) for row in rows if row[name]]
    if len(values) < len(SEEDS):
        return "-"
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def figure(rows):
    """Energies over the epochs, a panel per cohort and number of features; a cross ends what was singular."""
    rows = [row for row in rows if row["method"] == "ADM_dr"]
    panels = list(dict.fromkeys(_panel(row) for row in rows))
    drawn = Figure(figsize=(3 * len(panels), 2.8), layout="constrained")
    styles = curve_styles(KEEPING)
    for axis, panel in zip(np.atleast_1d(drawn.subplots(1, len(panels))), panels, strict=True):
        for row in (row for row in rows if _panel(row) == panel):
            curve, style = json.loads(row["curve"]), styles[row["singularity"]]
            label = row["singularity"] if row["seed"] == "0" else None
            axis.plot(range(1, len(curve) + 1), curve, label=label, **style)
            if row["status"] != "ok":
                axis.plot(max(len(curve), 1), curve[-1] if curve else 0, "x", color=style.get("color"))
        cohort, n_features, weight = panel
        title = f"{cohort}: {len(CONTRASTS[cohort])} contrasts, {n_features} features\nlambda {weight}"
        axis.set_title(title, fontsize="small")
        axis.set_xlabel("epoch")
    drawn.axes[0].set_ylabel("mean energy (nats)")
    drawn.axes[0].legend(frameon=False, fontsize="small")
    return drawn


def _panel(row):
    return row["cohort"], row["n_features"], row["energy_weight"]


def page(folder):
    """Write the table and the figure of the CSV."""
    rows = read(folder / "singularity.csv")
    write(list(table(rows)), folder / "tables" / "singularity.csv")
    save_figure(figure(rows), folder.parent / "images" / "singularity.png")


def draw_features(data, folder):
    """Draw the features of a bare mixture from two sides of its smallest component (A, Fig. 8a-b)."""
    (row,) = (r for r in settings() if [r[key] for key in SETTINGS] == ["ms", "ADM_dr", 3, 0.5, "none", 0])
    X = slices(data, "ms")[0]
    scorer = trained(row, X)[0]
    maps = np.moveaxis(scorer.transform(X), 1, -1)
    pixels = maps[~np.isnan(maps[..., 0])].astype(float)
    flattest = np.linalg.eigvalsh(scorer.covariances_)[:, 0].argmin()
    figure = features_figure(pixels, scorer.means_[flattest], scorer.covariances_[flattest])
    save_figure(figure, folder.parent / "images" / "singularity-features.png")


def features_figure(pixels, mean, covariance):
    """The features along the widest axis of a component and each of the others, with its two deviations."""
    values, axes = np.linalg.eigh(covariance)
    centered = ((pixels - mean) @ axes)[::_EVERY_PIXEL]
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    reach = 4 * np.sqrt(values[-1])
    angle = np.linspace(0, 2 * np.pi, 200)
    for axis, up in zip(figure.subplots(1, 2), (1, 0), strict=True):
        axis.plot(centered[:, -1], centered[:, up], ".", markersize=1.5, color="0.6")
        ellipse = 2 * np.sqrt(values[-1]) * np.cos(angle), 2 * np.sqrt(values[up]) * np.sin(angle)
        axis.plot(*ellipse, color="C3", linewidth=1)
        axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        axis.set(xlabel=f"eigenvalue {values[-1]:.2g}", ylabel=f"eigenvalue {values[up]:.2g}")
    return figure


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["run", "page", "features"])
    parser.add_argument("folder", type=Path, help="where singularity.csv is")
    parser.add_argument("--data", type=Path, help="the folder that holds glioma/ and ms/")
    arguments = parser.parse_args()
    if arguments.what == "run":
        run(arguments.data, arguments.folder / "singularity.csv")
    elif arguments.what == "features":
        draw_features(arguments.data, arguments.folder)
    else:
        page(arguments.folder)


if __name__ == "__main__":
    main()
