"""``skad demo``: the whole way on simulated brains, as files, through the other commands."""

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from skad.cli.main import call, function_of, parser
from skad.cli.terminal import REPORT, tell, write_table
from skad.datasets import make_phantom, write_bids
from skad.derivatives import Derivative
from skad.plotting import plot_volume, save_figure
from skad.report.labels import EVALUATION
from skad.utils.folders import new_folder
from skad.utils.tables import read_table


@dataclass(frozen=True)
class Size:
    """Normal brains to learn from, patients to score, voxels of each, and words for ``skad fit``."""

    normal: int
    patients: int
    shape: tuple
    fit: dict


IMAGES = "preprocessor__intensity=zscore preprocessor__voxel_size=None preprocessor__size_mode=resize"
SIZES = {
    "small": Size(
        normal=8,
        patients=4,
        shape=(96, 112, 20),
        fit={
            "adm": "--epochs 12 --set reference__width=8 reference__n_blocks=3 score__residual=signed "
            "score__smoothing=1.5 preprocessor__size=(96,96)",
            "introvae": f"--epochs 20 --set {IMAGES} preprocessor__size=(96,96) "
            "reference__reconstructor__channels=(8,16,32,64,64) reference__reconstructor__latent_channels=32 "
            "reference__reconstructor__batch_size=8 reference__reconstructor__encoder_lr=0.001 "
            "reference__reconstructor__decoder_lr=0.001 reference__reconstructor__n_warmup_epochs=10 "
            "reference__lr=0.01 reference__n_steps=30 "
            "score__channels=(16,32) score__patch_size=12 score__lr=0.001",
        },
    ),  # a few minutes on two cores
    "tiny": Size(
        normal=2,
        patients=2,
        shape=(48, 56, 10),
        fit={
            "adm": "--epochs 3 --set reference__width=8 reference__n_blocks=1 score__residual=signed "
            "score__smoothing=1.0 preprocessor__size=(48,48)",
            "introvae": f"--epochs 3 --set {IMAGES} preprocessor__size=(48,48) "
            "reference__reconstructor__channels=(4,8,16) reference__reconstructor__latent_channels=8 "
            "reference__reconstructor__batch_size=4 reference__reconstructor__encoder_lr=0.001 "
            "reference__n_steps=5 score__channels=(4,8) score__patch_size=12 score__lr=0.001",
        },
    ),  # less than one
}
SYSTEMS = tuple(SIZES["small"].fit)
COLUMNS = ("method", "subject", "label", "roc_auc", "average_precision", "best_dice")


def demo(*, out, size, method, seed, device, jobs, overwrite):
    """Simulate normal brains and patients, train, score and evaluate; the first exit code that is not 0."""
    out, plan = Path(out), SIZES[size]
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise ValueError(f"{out} is not empty: choose another --out, or add --overwrite.")
    for folder in ("normal", "patients", "maps", "figures"):
        shutil.rmtree(out / folder, ignore_errors=True)
    with new_folder(out):
        tell(f"Simulating {plan.normal} normal brains and {plan.patients} patients with a glioma.")
        _simulate(out / "normal", "normal", plan.normal, plan.shape, lesion=None, seed=seed)
        patients = _simulate(out / "patients", "patient", plan.patients, plan.shape, "glioma", seed + 1)
        for name in method:
            for command in _commands(name, out, plan.fit[name], seed=seed, device=device, jobs=jobs):
                if code := _run(command):
                    return code
        _compare(method, patients, out)
    return 0


def _commands(method, out, words, *, seed, device, jobs):
    """Fit, score and evaluate with one method, as a user would type it."""
    detector, maps = out / f"{method}.skad", out / "maps" / method
    machine = ["--device", device] * (device != "auto") + ["--jobs", jobs] * (jobs is not None)
    yield ["fit", out / "normal", "--method", method, "--out", detector, "--overwrite", "--seed", seed] + (
        machine + words.split()
    )
    yield ["score", detector, out / "patients", "--out", maps, *machine]
    yield ["evaluate", maps, out / "patients"]


def _run(words):
    """Run a command of skad, saying it."""
    words = [str(word) for word in words]
    tell(f"$ skad {shlex.join(words)}")
    options = vars(parser().parse_args(words))
    for each in ("json", "quiet", "verbose", "log"):  # as for the demonstration
        del options[each]
    return call(function_of(options.pop("command")), options)


def _compare(methods, patients, out):
    """One table of the scores of all methods, and one picture of all maps per patient."""
    rows = [
        {"method": method, **row}
        for method in methods
        for row in read_table(out / "maps" / method / EVALUATION)
    ]
    write_table([{key: row[key] for key in COLUMNS} for row in rows], out / "table.csv")
    derivatives = {method: Derivative(out / "maps" / method) for method in methods}
    for volume in patients:
        maps = {method: each.record_of(volume).anomaly for method, each in derivatives.items()}
        save_figure(plot_volume(volume, maps), out / "figures" / f"{volume.subject}.png")
    tell(f"Side by side: {out / 'table.csv'}, {out / 'figures' / 'sub-*.png'}.")
    tell(f"To look around in, in a browser: {', '.join(str(out / 'maps' / m / REPORT) for m in methods)}.")


def _simulate(folder, name, n_subjects, shape, lesion, seed):
    """Write a BIDS dataset of phantoms; the volumes, named as there."""
    volumes = make_phantom(n_subjects, shape=shape, lesion=lesion, random_state=seed)
    for index, volume in enumerate(volumes, start=1):
        volume.subject = f"sub-{name}{index:02d}"
    write_bids(volumes, folder, name="simulated brains of skad.datasets.make_phantom")
    return volumes
