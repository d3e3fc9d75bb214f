"""``skad demo``: the whole way on simulated brains, as files, through the other commands."""

import csv
import shlex
import shutil
from pathlib import Path

from skad.cli.evaluate import evaluate
from skad.cli.fit import fit
from skad.cli.output import REPORT, tell, write_table
from skad.cli.score import score
from skad.datasets import make_phantom
from skad.derivatives import Derivative
from skad.derivatives.bids import BIDS_VERSION
from skad.derivatives.sidecar import GENERATED_BY
from skad.io import write_map
from skad.plotting import plot_volume, save_figure
from skad.report.labels import EVALUATION
from skad.utils.files import write_json
from skad.utils.folders import new_folder

_IMAGES = (
    "preprocessor__intensity=zscore",
    "preprocessor__voxel_size=None",
    "preprocessor__fit_mode='resize'",
)

# A few minutes, and less than one, on two cores: normal brains to learn from, patients to score.
SIZES = {
    "small": {
        "normal": 8,
        "patients": 4,
        "shape": (96, 112, 20),
        "slices": (96, 96),
        "epochs": {"adm": 12, "introvae": 20},
        "settings": {
            "adm": (
                "reference__width=8",
                "reference__n_blocks=3",
                "score__residual=signed",
                "score__smoothing=1.5",
            ),
            "introvae": (
                *_IMAGES,
                "reference__reconstructor__channels=(8,16,32,64,64)",
                "reference__reconstructor__latent_channels=32",
                "reference__reconstructor__batch_size=8",
                "reference__reconstructor__encoder_lr=0.001",
                "reference__reconstructor__decoder_lr=0.001",
                "reference__reconstructor__n_warmup_epochs=10",
                "reference__lr=0.01",
                "reference__n_steps=30",
                "score__channels=(16,32)",
                "score__patch_size=12",
                "score__lr=0.001",
            ),
        },
    },
    "tiny": {
        "normal": 2,
        "patients": 2,
        "shape": (48, 56, 10),
        "slices": (48, 48),
        "epochs": {"adm": 3, "introvae": 3},
        "settings": {
            "adm": (
                "reference__width=8",
                "reference__n_blocks=1",
                "score__residual=signed",
                "score__smoothing=1.0",
            ),
            "introvae": (
                *_IMAGES,
                "reference__reconstructor__channels=(4,8,16)",
                "reference__reconstructor__latent_channels=8",
                "reference__reconstructor__batch_size=4",
                "reference__reconstructor__encoder_lr=0.001",
                "reference__n_steps=5",
                "score__channels=(4,8)",
                "score__patch_size=12",
                "score__lr=0.001",
            ),
        },
    },
}
SYSTEMS = tuple(SIZES["small"]["epochs"])
COLUMNS = ("method", "subject", "label", "roc_auc", "average_precision", "best_dice")
DATASET = {
    "Name": "simulated brains of skad.datasets.make_phantom",
    "BIDSVersion": BIDS_VERSION,
    "GeneratedBy": GENERATED_BY,
}
MASKS = "derivatives/masks"  # raw data in BIDS hold what the scanner measured only


def demo(*, out, size="small", method=SYSTEMS, seed=0, device="auto", jobs=None, overwrite=False):
    """Simulate normal brains and patients, train, score and evaluate; parameters as in ``skad demo --help``.

    Returns
    -------
    int
        The exit code, as of :func:`skad.cli.main`.
    """
    out, plan = Path(out), SIZES[size]
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise ValueError(f"{out} is not empty: choose another --out, or add --overwrite.")
    for folder in ("normal", "patients", "maps", "figures"):
        shutil.rmtree(out / folder, ignore_errors=True)
    with new_folder(out):
        tell(f"Simulating {plan['normal']} normal brains and {plan['patients']} patients with a glioma.")
        _write_cohort(out / "normal", "normal", plan["normal"], plan["shape"], lesion=None, seed=seed)
        patients = _write_cohort(
            out / "patients", "patient", plan["patients"], plan["shape"], lesion="glioma", seed=seed + 1
        )
        for name in method:
            code = _run(name, out, plan, seed=seed, device=device, jobs=jobs)
            if code:
                return code
        _compare(method, patients, out)
    return 0


def _run(method, out, plan, *, seed, device, jobs):
    """Fit, score and evaluate with one method, saying the command for each."""
    normal, patients, detector = out / "normal", out / "patients", out / f"{method}.skad"
    maps = out / "maps" / method
    height, width = plan["slices"]
    settings = [*plan["settings"][method], f"preprocessor__size=({height},{width})"]
    epochs = plan["epochs"][method]
    tell(
        f"$ skad fit {normal} --method {method} --out {detector} --epochs {epochs} --seed {seed} "
        f"--set {shlex.join(settings)}"
    )
    shared = {"device": device, "jobs": jobs}
    fit(
        normal,
        method=method,
        out=detector,
        settings=settings,
        epochs=epochs,
        seed=seed,
        overwrite=True,
        **shared,
    )
    tell(f"$ skad score {detector} {patients} --out {maps}")
    code = score(detector, patients, out=maps, **shared)
    if code:
        return code
    tell(f"$ skad evaluate {maps} {patients}")
    return evaluate(maps, patients)


def _compare(methods, patients, out):
    """One table of the scores of all methods, and one picture of all maps per patient."""
    rows = []
    for method in methods:
        with open(out / "maps" / method / EVALUATION, newline="") as file:
            rows += [{"method": method, **row} for row in csv.DictReader(file)]
    write_table([{key: row[key] for key in COLUMNS} for row in rows], out / "table.csv")
    derivatives = {method: Derivative(out / "maps" / method) for method in methods}
    for volume in patients:
        maps = {method: each.record_of(volume).anomaly for method, each in derivatives.items()}
        save_figure(plot_volume(volume, maps), out / "figures" / f"{volume.subject}.png")
    tell(f"Side by side: {out / 'table.csv'}, {out / 'figures' / 'sub-*.png'}.")
    tell(f"To look around in, in a browser: {', '.join(str(out / 'maps' / m / REPORT) for m in methods)}.")


def _write_cohort(folder, name, n_subjects, shape, *, lesion, seed):
    """A BIDS folder of phantoms, with their lesions and brains as masks; the volumes, named as there."""
    volumes = make_phantom(n_subjects, shape=shape, lesion=lesion, random_state=seed)
    for index, volume in enumerate(volumes, start=1):
        volume.subject = subject = f"sub-{name}{index:02d}"
        masks = {"label-lesion_mask": volume.labels, "label-brain_mask": volume.mask}
        for place, images in ((folder, volume.contrasts), (folder / MASKS, masks)):
            for ending, image in images.items():
                write_map(image, volume, place / subject / "anat" / f"{subject}_{ending}.nii.gz")
    write_json(DATASET | {"DatasetType": "raw"}, folder / "dataset_description.json")
    write_json(DATASET | {"DatasetType": "derivative"}, folder / MASKS / "dataset_description.json")
    return volumes
