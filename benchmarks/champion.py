"""The lesion ensemble step by step: gliomas, plaques and strokes, by lesion size and seed.

    python benchmarks/champion.py slices ../shared/data slices.npz
    python benchmarks/champion.py run slices.npz docs/results/champion.csv --jobs 2
    python benchmarks/champion.py run slices.npz docs/results/champion_path.csv --path --seeds 0
    python benchmarks/champion.py run slices.npz docs/results/champion_hospitals.csv --hospitals --seeds 0
    python benchmarks/champion_page.py docs/results

`slices` writes the slices of all cohorts into one compact file, 8 bits per pixel, so that `run` needs neither
the scans nor nibabel. Trained on gliomas and judged on gliomas of other patients and on another disease from
another scanner; trained on strokes and judged on strokes of other patients. A quarter of the stroke patients
was used for development, the rows are of the other three quarters. `--path` trains the ensemble as it
grows part by part; `--hospitals` leaves each hospital of the glioma patients out and judges on it.
"""

import argparse
import csv
import multiprocessing
import resource
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch
from champion_cohorts import CONTRASTS, Cohort, write_slices
from champion_recipes import WHOLE, make_recipe, path
from weighing import of_volumes, threshold_of_weighed, weighed

from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
)
from skad.postprocessing import fill_holes, smooth_across_slices, smooth_foreground
from skad.training.device import resolve_device

JUDGED = {"glioma": ("glioma", "ms"), "stroke": ("stroke",)}
SIZES = ((1, 3), (4, 11), (12, 27), (28, None))  # pixels of a lesion in its slice
WEIGHED = "ensemble, holes filled, smoothed across slices, local prevalence"  # the last step
SLICE_SMOOTHING = 1.0  # mm, that of `skad fit --method ensemble`


def measure(
    slices,
    cohort,
    seed,
    *,
    recipe=WHOLE,
    left_out=None,
    device="auto",
    precision="auto",
    epochs=None,
    threads=1,
):
    """Train one ensemble and judge its steps; rows of the table.

    Parameters
    ----------
    slices : path-like
    cohort : {"glioma", "stroke"}
    seed : int
    recipe : str, default=WHOLE
        One of :data:`champion_recipes.UNDONE`.
    left_out : str, default=None
        A hospital that is judged on and not trained on.
    device, precision : str, default="auto"
        Of the networks.
    epochs : int, default=None
        Of the networks; None for the recipe's.
    threads : int, default=1
        Of torch on the CPU.
    """
    torch.set_num_threads(threads)
    arrays = np.load(slices)
    trained = Cohort(arrays, cohort)
    ensemble = make_recipe(recipe, CONTRASTS[cohort], device=device, random_state=seed)
    ensemble.set_params(network__precision=precision)
    if epochs is not None:
        ensemble.set_params(network__max_epochs=epochs)
    start, cpu = time.perf_counter(), time.process_time()
    X = trained.to_learn_from(left_out)
    ensemble.fit(X)
    threshold_at_the_end = threshold_of_weighed(ensemble, X, np.median(trained.pixel_size, axis=0))
    names = {"recipe": recipe, "left out": left_out or "", "cohort": cohort, "seed": seed}
    costs = {
        "device": _name_of(device),
        "epochs": dict(ensemble.scorers)["network"].max_epochs,
        "training (s)": round(time.perf_counter() - start, 1),
        "training (CPU s)": round(time.process_time() - cpu, 1),
    }
    hospitals = [each for each in trained.hospitals if each != left_out]
    rows = []
    for name in JUDGED[cohort] if left_out is None else (cohort,):
        start = time.perf_counter()
        judged = Cohort(arrays, name).to_judge(hospitals, left_out)
        steps = dict(_steps(ensemble, judged))
        costs["scoring (s per slice)"] = round((time.perf_counter() - start) / len(judged.X), 4)
        costs["memory (GB)"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        for step, anomaly in steps.items():
            threshold = -ensemble.offset_ if "holes filled" in step else None
            threshold = threshold_at_the_end if step == WEIGHED else threshold
            rows.append(names | {"step": step, **_scores(judged, anomaly, threshold)} | costs)
    return rows


def _name_of(device):
    device = resolve_device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _steps(ensemble, judged):
    """Anomaly maps from the plainest to those of `skad score`."""
    where = judged.volume, judged.position, judged.pixel_size
    yield "FLAIR, smoothed", smooth_foreground(judged.flair, 1.5)
    log_p = ensemble.transform(judged.X)
    names = [name for name, _ in ensemble.scorers]
    for name, member in zip(names, np.moveaxis(log_p, 1, 0), strict=True):
        yield name, -member
        if name == "mixture":
            yield "mixture, local prevalence", weighed(-member, *where)
    yield "one network", -ensemble.scorers_[names.index("network")].score_samples(judged.X)
    anomaly = -log_p.mean(axis=1)
    yield "ensemble", anomaly
    anomaly = fill_holes(anomaly)
    yield "ensemble, holes filled", anomaly
    anomaly = of_volumes(smooth_slices, anomaly, *where)
    yield "ensemble, holes filled, smoothed across slices", anomaly
    yield WEIGHED, weighed(anomaly, *where)


def smooth_slices(anomaly, positions, pixel_size=None):
    """Maps of one volume smoothed across its slices, as the detector of the ensemble does."""
    return smooth_across_slices(anomaly, positions, SLICE_SMOOTHING)


def _scores(judged, anomaly, threshold):
    rows = judged.counted
    y, counted, sizes = judged.y[rows], anomaly[rows], judged.sizes[rows]
    found = {
        "judged on": judged.name,
        "AUC": foreground_roc_auc_score(y, counted),
        "AP": foreground_average_precision_score(y, counted),
        "Dice": foreground_best_dice_score(y, counted),
    }
    for low, high in SIZES:
        of_size = (sizes >= low) & (sizes <= (high or np.inf))
        others = (y > 0) & ~of_size
        of_interest = np.where(others, np.float32(np.nan), counted)
        name = f"AP {low}-{high} px" if high else f"AP {low} px or more"
        found[name] = np.nan
        if of_size.any():
            found[name] = foreground_average_precision_score(of_size.astype(np.int8), of_interest)
    for name, known in (("known hospitals", True), ("new hospitals", False)):
        values = anomaly[judged.normal & (judged.known == known)]
        values = values[~np.isnan(values)]
        found[f"false positives, {name}"] = (
            float((values > threshold).mean()) if threshold is not None and values.size else np.nan
        )
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}


def run(slices, out, *, seeds, cohorts, growing, hospitals, jobs, **settings):
    """Measure every cohort and seed, and write the rows as they come."""
    tasks = [(cohort, seed, {}) for seed in seeds for cohort in cohorts]
    if growing:
        tasks = [
            (cohort, seed, {"recipe": name})
            for seed in seeds
            for cohort in cohorts
            for name in path(CONTRASTS[cohort])
        ]
    if hospitals:
        sites = Cohort(np.load(slices), "glioma").hospitals
        tasks = [("glioma", seed, {"left_out": site}) for seed in seeds for site in sites]
    context = multiprocessing.get_context("spawn")
    out.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=context) as pool, open(out, "w", newline="") as file:
        running = {
            pool.submit(measure, slices, cohort, seed, **settings, **what): (cohort, seed, *what.values())
            for cohort, seed, what in tasks
        }
        writer = None
        for task in as_completed(running):
            for row in task.result():
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
            file.flush()
            print("finished", *running[task], flush=True)


def main():
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    slices = commands.add_parser("slices")
    slices.add_argument("data", type=Path)
    slices.add_argument("out", type=Path)
    slices.add_argument("--context", type=float, help="mm to the neighbors that slices come with (2.5-D)")
    measured = commands.add_parser("run")
    measured.add_argument("slices", type=Path)
    measured.add_argument("out", type=Path)
    measured.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    measured.add_argument("--cohorts", nargs="+", default=list(CONTRASTS), choices=CONTRASTS)
    what = measured.add_mutually_exclusive_group()
    what.add_argument("--path", action="store_true", dest="growing", help="the ensemble as it grows")
    what.add_argument("--hospitals", action="store_true", help="glioma, each hospital left out in turn")
    measured.add_argument("--jobs", type=int, default=1)
    measured.add_argument("--device", default="auto")
    measured.add_argument("--precision", default="auto", help="of the networks: auto, fp32 or bf16")
    measured.add_argument("--epochs", type=int, help="of the networks; default: the recipe's")
    measured.add_argument("--threads", type=int, default=1)
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    {"slices": write_slices, "run": run}[command](**arguments)


if __name__ == "__main__":
    main()
