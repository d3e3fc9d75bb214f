"""``skad demo``: the whole way on simulated brains, as files, through the other commands."""

import shlex
import shutil
from pathlib import Path

from skad.cli.evaluate import evaluate
from skad.cli.fit import fit
from skad.cli.methods import METHODS
from skad.cli.output import new_folder, tell, write_json
from skad.cli.score import score
from skad.datasets import make_phantom
from skad.io import write_map

# A few minutes, and less than one, on two cores: normal brains to learn from, patients to score.
SIZES = {
    "small": {
        "normal": 8,
        "patients": 4,
        "shape": (96, 112, 20),
        "slices": (96, 96),
        "epochs": 12,
        "settings": (
            "reference__width=8",
            "reference__n_blocks=3",
            "score__residual=signed",
            "score__smoothing=1.5",
        ),
    },
    "tiny": {
        "normal": 2,
        "patients": 2,
        "shape": (48, 56, 10),
        "slices": (48, 48),
        "epochs": 3,
        "settings": (
            "reference__width=8",
            "reference__n_blocks=1",
            "score__residual=signed",
            "score__smoothing=1.0",
        ),
    },
}
DATASET = {
    "Name": "simulated brains of skad.datasets.make_phantom",
    "BIDSVersion": "1.9.0",
    "DatasetType": "raw",
}


def add_arguments(parser):
    """Declare what ``skad demo`` takes."""
    parser.add_argument(
        "--out", required=True, metavar="FOLDER", help="where scans, detector, maps and pictures go"
    )
    parser.add_argument("--size", choices=SIZES, default="small", help="small: minutes; tiny: less than one")
    parser.add_argument("--method", default="adm", help=f"one of: {', '.join(METHODS)}; default: adm")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1; default: auto")
    parser.add_argument("--jobs", type=int, help="subjects at the same time; default: 1")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier demonstration")


def demo(*, out, size="small", method="adm", seed=0, device="auto", jobs=None, overwrite=False):
    """Simulate normal brains and patients, train, score and evaluate; parameters as in ``skad demo --help``.

    Returns
    -------
    int
        The exit code, as of :func:`skad.cli.main`.
    """
    out, plan = Path(out), SIZES[size]
    normal, patients, detector, maps = (
        out / name for name in ("normal", "patients", f"{method}.skad", "maps")
    )
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise ValueError(f"{out} is not empty: choose another --out, or add --overwrite.")
    for folder in (normal, patients, maps):
        shutil.rmtree(folder, ignore_errors=True)
    with new_folder(out):
        tell(f"Simulating {plan['normal']} normal brains and {plan['patients']} patients with a glioma.")
        _write_cohort(normal, "normal", plan["normal"], plan["shape"], lesion=None, seed=seed)
        _write_cohort(patients, "patient", plan["patients"], plan["shape"], lesion="glioma", seed=seed + 1)
        height, width = plan["slices"]
        settings = (f"preprocessor__size=({height},{width})", *plan["settings"])
        tell(
            f"$ skad fit {normal} --method {method} --out {detector} --epochs {plan['epochs']} --seed {seed} "
            f"--set {shlex.join(settings)}"
        )
        fit(
            normal,
            method=method,
            out=detector,
            settings=settings,
            epochs=plan["epochs"],
            seed=seed,
            device=device,
            jobs=jobs,
            overwrite=True,
        )
        tell(f"$ skad score {detector} {patients} --out {maps}")
        code = score(detector, patients, out=maps, device=device, jobs=jobs)
        if code:
            return code
        tell(f"$ skad evaluate {maps} {patients}")
        code = evaluate(maps, patients)
        tell(f"Pictures: {maps / 'sub-*' / 'figures'}.")
        return code


def _write_cohort(folder, name, n_subjects, shape, *, lesion, seed):
    """A BIDS folder of phantoms, with their lesions and brains as masks."""
    volumes = make_phantom(n_subjects, shape=shape, lesion=lesion, random_state=seed)
    for index, volume in enumerate(volumes, start=1):
        subject = f"sub-{name}{index:02d}"
        images = {**volume.contrasts, "label-lesion_mask": volume.labels, "label-brain_mask": volume.mask}
        for ending, image in images.items():
            write_map(image, volume, folder / subject / "anat" / f"{subject}_{ending}.nii.gz")
    write_json(DATASET, folder / "dataset_description.json")
