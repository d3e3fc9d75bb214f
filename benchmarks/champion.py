"""The lesion ensemble step by step: gliomas, plaques and strokes, by lesion size and seed.

    python benchmarks/champion.py slices ../shared/data slices.npz
    python benchmarks/champion.py run slices.npz docs/results/champion.csv --jobs 2
    python benchmarks/champion_page.py docs/results/champion.csv docs/results/champion.md

`slices` writes the slices of all cohorts into one compact file, 8 bits per pixel, so that `run` needs neither
the scans nor nibabel. Trained on gliomas and judged on gliomas of other patients and on another disease from
another scanner; trained on strokes and judged on strokes of other patients. A quarter of the stroke patients
was used for development, the rows are of the other three quarters.
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
from scipy import ndimage
from sklearn.base import clone

from skad.base import observed_images
from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
)
from skad.postprocessing import fill_holes, smooth_across_slices, smooth_foreground
from skad.scoring import make_lesion_ensemble
from skad.training.device import resolve_device

CONTRASTS = {"glioma": ("T1w", "FLAIR", "ce-gadolinium_T1w"), "stroke": ("FLAIR",)}
JUDGED = {"glioma": ("glioma", "ms"), "stroke": ("stroke",)}
SIZES = ((1, 3), (4, 11), (12, 27), (28, None))  # pixels of a lesion in its slice
SLICE_SMOOTHING = 1.0  # mm, that of `skad fit --method ensemble`
LOW, STEP = -1.0, 2 / 254  # of intensities as 8 bits; 0 is background


def write_slices(data, out, context=None):
    """Slices of the normal training fold and of all patients that are judged, alone or with neighbors."""
    from skad.datasets import load_bids  # the other commands run where no scan is read
    from skad.preprocessing import VolumePreprocessor

    arrays = {}
    for cohort, contrasts in CONTRASTS.items():
        volumes = load_bids(data / cohort, contrasts=contrasts)
        folds = {name: [v for v in volumes if v.info["fold"] == name] for name in ("train", "validation")}
        prepare = VolumePreprocessor(size=(128, 128), intensity="whitematter")
        train = prepare.fit_transform(folds["train"])
        normal = ~train.y.any(axis=(1, 2))
        arrays[f"{cohort}_train"] = _packed(train.seen_with(context)[normal])
        sites = {volume.info.get("site") for volume in folds["train"]}
        judged = {cohort: folds["validation"]}
        if cohort == "glioma":
            judged["ms"] = load_bids(data / "ms", contrasts=contrasts)
        for name, patients in judged.items():
            stack = prepare.transform(patients)
            arrays[name] = _packed(stack.seen_with(context))
            arrays[f"{name}_labels"] = np.packbits(stack.y > 0)
            arrays[f"{name}_volume"] = stack.volume_index
            arrays[f"{name}_position"] = stack.positions
            known = [volume.info.get("site") in sites for volume in stack.volumes]
            arrays[f"{name}_known_site"] = np.array(known)[stack.volume_index]
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out, **arrays)


def _packed(X):
    return np.where(np.isnan(X), 0, np.clip(np.round((X - LOW) / STEP), 0, 254) + 1).astype(np.uint8)


def _unpacked(values):
    X = (values.astype(np.float32) - 1) * np.float32(STEP) + np.float32(LOW)
    return np.where(values == 0, np.float32(np.nan), X)


def measure(
    slices, cohort, seed, *, device="auto", precision="auto", epochs=None, seconds=None, threads=1, maps=None
):
    """Train one ensemble and judge its steps; rows of the table.

    Parameters
    ----------
    slices : path-like
    cohort : {"glioma", "stroke"}
    seed : int
    device, precision : str, default="auto"
        Of the networks.
    epochs : int, default=None
        Of the networks; None for the recipe's.
    seconds : float, default=None
        For the training of the networks: epochs are reduced to what fits; the rows say to how many.
    threads : int, default=1
        Of torch on the CPU.
    maps : path-like, default=None
        Folder for the maps of both members, 8 bits per pixel.
    """
    torch.set_num_threads(threads)
    arrays = np.load(slices)
    X = _unpacked(arrays[f"{cohort}_train"])
    ensemble = make_lesion_ensemble(CONTRASTS[cohort], device=device, random_state=seed)
    ensemble.set_params(network__precision=precision)
    if epochs is not None:
        ensemble.set_params(network__max_epochs=epochs)
    if seconds is not None:
        ensemble.set_params(network__max_epochs=_epochs_within(seconds, ensemble, X))
    start, cpu = time.perf_counter(), time.process_time()
    ensemble.fit(X)
    costs = {
        "device": _name_of(device),
        "epochs": dict(ensemble.scorers)["network"].max_epochs,
        "training (s)": round(time.perf_counter() - start, 1),
        "training (CPU s)": round(time.process_time() - cpu, 1),
    }
    rows = []
    for name in JUDGED[cohort]:
        start = time.perf_counter()
        judged = _Judged(arrays, name)
        steps = dict(_steps(ensemble, judged))
        costs["scoring (s per slice)"] = round((time.perf_counter() - start) / len(judged.X), 4)
        costs["memory (GB)"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
        for step, anomaly in steps.items():
            threshold = -ensemble.offset_ if "holes filled" in step else None
            rows.append(_row(judged, anomaly, threshold, cohort=cohort, seed=seed, step=step) | costs)
        if maps is not None:
            _write_maps(Path(maps) / f"{cohort}-{name}-{seed}.npz", steps, judged)
    return rows


def _name_of(device):
    device = resolve_device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _epochs_within(seconds, ensemble, X):
    """Epochs whose training takes that long, from the times of a few."""
    network = dict(ensemble.scorers)["network"]

    def seconds_of(n_epochs):
        start = time.perf_counter()
        clone(network).set_params(max_epochs=n_epochs).fit(X[:256])
        return time.perf_counter() - start

    seconds_of(1)  # warms the device up
    of_epoch = (seconds_of(5) - seconds_of(1)) / 4
    return int(np.clip(seconds / ensemble.cv / of_epoch, 10, network.max_epochs))


class _Judged:
    """The slices of a cohort, its lesions by size, and which of its normal slices are of known hospitals."""

    def __init__(self, arrays, name):
        self.name = name
        self.X = _unpacked(arrays[name])
        shape = (len(self.X), *self.X.shape[-2:])
        self.y = np.unpackbits(arrays[f"{name}_labels"], count=np.prod(shape)).reshape(shape)
        self.volume, self.position = arrays[f"{name}_volume"], arrays[f"{name}_position"]
        self.known = arrays[f"{name}_known_site"]
        self.sizes = np.stack([_lesion_sizes(y) for y in self.y])
        # a quarter of the stroke patients was looked at while the ensemble was developed
        self.counted = np.arange(len(self.X)) % 4 != 0 if name == "stroke" else np.ones(len(self.X), bool)


def _lesion_sizes(y):
    """Pixels of the lesion that each pixel belongs to; 0 outside."""
    labels, _ = ndimage.label(y, np.ones((3, 3)))
    return np.bincount(labels.ravel())[labels] * (labels > 0)


def _steps(ensemble, judged):
    """Anomaly maps from the plainest to the whole ensemble."""
    flair = CONTRASTS["stroke" if judged.name == "stroke" else "glioma"].index("FLAIR")
    yield "FLAIR, smoothed", smooth_foreground(observed_images(judged.X)[:, flair], 1.5)
    log_p = ensemble.transform(judged.X)
    names = [name for name, _ in ensemble.scorers]
    for name, member in zip(names, np.moveaxis(log_p, 1, 0), strict=True):
        yield name, -member
    yield "one network", -ensemble.scorers_[names.index("network")].score_samples(judged.X)
    anomaly = -log_p.mean(axis=1)
    yield "ensemble", anomaly
    filled = fill_holes(anomaly)
    yield "ensemble, holes filled", filled
    smoothed = smooth_volumes(filled, judged.volume, judged.position)
    yield "ensemble, holes filled, smoothed across slices", smoothed


def smooth_volumes(anomaly, volume, position):
    """Maps smoothed across the slices of each volume, as the detector of the ensemble does."""
    smoothed = anomaly.copy()
    for index in np.unique(volume):
        rows = volume == index
        smoothed[rows] = smooth_across_slices(anomaly[rows], position[rows], SLICE_SMOOTHING)
    return smoothed


def _row(judged, anomaly, threshold, **names):
    rows = judged.counted
    y, anomaly, sizes = judged.y[rows], anomaly[rows], judged.sizes[rows]
    row = names | {
        "judged on": judged.name,
        "AUC": foreground_roc_auc_score(y, anomaly),
        "AP": foreground_average_precision_score(y, anomaly),
        "Dice": foreground_best_dice_score(y, anomaly),
    }
    for low, high in SIZES:
        of_size = (sizes >= low) & (sizes <= (high or np.inf))
        others = (y > 0) & ~of_size
        of_interest = np.where(others, np.float32(np.nan), anomaly)
        name = f"AP {low}-{high} px" if high else f"AP {low} px or more"
        row[name] = foreground_average_precision_score(of_size.astype(np.int8), of_interest)
    normal = ~judged.y.any(axis=(1, 2))[rows]
    for name, known in (("known hospitals", True), ("new hospitals", False)):
        values = anomaly[normal & (judged.known[rows] == known)]
        values = values[~np.isnan(values)]
        row[f"false positives, {name}"] = (
            float((values > threshold).mean()) if threshold is not None and values.size else np.nan
        )
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def _write_maps(path, steps, judged):
    inside = ~np.isnan(observed_images(judged.X)[:, 0])
    members = [name for name in ("mixture", "network") if name in steps]
    maps = {name: np.clip(np.round(12 * steps[name][inside]), 0, 255).astype(np.uint8) for name in members}
    np.savez_compressed(path, **maps)


def run(slices, out, *, seeds, cohorts, jobs, **settings):
    """Measure every cohort and seed, and write the rows as they come."""
    context = multiprocessing.get_context("spawn")
    out.parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=context) as pool, open(out, "w", newline="") as file:
        tasks = [
            pool.submit(measure, slices, cohort, seed, **settings) for seed in seeds for cohort in cohorts
        ]
        writer = None
        for task in as_completed(tasks):
            for row in task.result():
                if writer is None:
                    writer = csv.DictWriter(file, list(row))
                    writer.writeheader()
                writer.writerow(row)
            file.flush()
            print("finished", *(row["step"] for row in task.result()[-1:]), flush=True)


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
    measured.add_argument("--jobs", type=int, default=1)
    measured.add_argument("--device", default="auto")
    measured.add_argument("--precision", default="auto", help="of the networks: auto, fp32 or bf16")
    measured.add_argument("--epochs", type=int, help="of the networks; default: the recipe's")
    measured.add_argument("--seconds", type=float, help="of training; default: the recipe's epochs")
    measured.add_argument("--threads", type=int, default=1)
    measured.add_argument("--maps", type=Path, help="folder for maps of the members")
    arguments = vars(parser.parse_args())
    command = arguments.pop("command")
    {"slices": write_slices, "run": run}[command](**arguments)


if __name__ == "__main__":
    main()
