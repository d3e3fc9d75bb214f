"""A demonstration on simulated brains: how many, of which size, and parameters that train in minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skad.datasets import make_phantom, write_bids
from skad.derivatives import Derivative
from skad.io import Volume
from skad.plotting import plot_volume, save_figure
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
_COLUMNS = ("method", "subject", "label", "roc_auc", "average_precision", "best_dice")


def simulate_cohorts(size: Size, folder: Path, seed: int = 0) -> list[Volume]:
    """Write normal brains and patients with a glioma as two BIDS datasets, ``normal`` and ``patients``.

    Parameters
    ----------
    size : Size
        How many, and their shape.
    folder : pathlib.Path
        Holds the two folders.
    seed : int, default=0
        Of the normal brains; the patients have the next one.

    Returns
    -------
    list of Volume
        The patients, named as in their dataset.
    """
    _simulate(folder / "normal", "normal", size.normal, size.shape, None, seed)
    return _simulate(folder / "patients", "patient", size.patients, size.shape, "glioma", seed + 1)


def compare_methods(
    maps: Mapping[str, Derivative], patients: Sequence[Volume], figures: Path
) -> list[dict[str, Any]]:
    """Draw the maps of several methods beside each other, and join their tables of scores.

    Parameters
    ----------
    maps : dict of str to Derivative
        By method; evaluated folders, with ``evaluation.csv``.
    patients : sequence of Volume
        The scans of the maps.
    figures : pathlib.Path
        Folder that gets one picture of each patient.

    Returns
    -------
    list of dict
        Rows of the evaluations with a column "method".
    """
    for volume in patients:
        found = {method: each.record_of(volume) for method, each in maps.items()}
        shown = {method: record.anomaly for method, record in found.items() if record is not None}
        save_figure(plot_volume(volume, shown), figures / f"{volume.subject}.png")
    rows = [
        {"method": method, **row}
        for method, each in maps.items()
        for row in read_table(each.folder / "evaluation.csv")
    ]
    return [{key: row[key] for key in _COLUMNS} for row in rows]


def _simulate(folder, name, n_subjects, shape, lesion, seed):
    """Write a BIDS dataset of phantoms; the volumes, named as there."""
    volumes = make_phantom(n_subjects, shape=shape, lesion=lesion, random_state=seed)
    for index, volume in enumerate(volumes, start=1):
        volume.subject = f"sub-{name}{index:02d}"
    write_bids(volumes, folder, name="simulated brains of skad.datasets.make_phantom")
    return volumes
