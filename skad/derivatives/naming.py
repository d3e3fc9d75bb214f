"""Where the files of a scan lie in a folder of maps, and what the scan is called."""

import re
from collections.abc import Iterable
from pathlib import Path

from skad.io import Volume
from skad.io.volumes import name_of
from skad.utils.typing import PathLike

ENDING = "desc-anomaly_map"
REFERENCE = "desc-reference"
SCORES, DRIFT = "scores.csv", "drift.csv"  # tables of the cohort
LESIONS = "lesions.csv"  # of a scan


def entities_of(volume: Volume) -> list[str]:
    """Subject and, where there are several, session, as BIDS writes them in names of files.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> entities_of(Volume({"T1w": np.ones((2, 3, 4))}, np.eye(4), subject="01", info={"session": "a_b"}))
    ['sub-01', 'ses-ab']
    """
    known = (("sub", volume.subject), ("ses", volume.info.get("session")))
    return [_entity(key, value) for key, value in known if key == "sub" or value]


def map_path(folder: PathLike, volume: Volume) -> Path:
    """Where the map of a volume lies: ``sub-*/[ses-*/]anat/sub-*_[ses-*_]desc-anomaly_map.nii.gz``.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> map_path("maps", Volume({"T1w": np.ones((2, 3, 4))}, np.eye(4), subject="BraTS20_007")).as_posix()
    'maps/sub-BraTS20007/anat/sub-BraTS20007_desc-anomaly_map.nii.gz'
    """
    parts = entities_of(volume)
    return Path(folder, *parts, "anat", "_".join([*parts, f"{ENDING}.nii.gz"]))


def map_name(path: Path) -> str:
    """Subject and, where there are several, session, as in the name of a map.

    Examples
    --------
    >>> map_name(Path("maps/sub-01/anat/sub-01_desc-anomaly_map.nii.gz"))
    'sub-01'
    """
    return path.name.removesuffix(f"_{ENDING}.nii.gz")


def sidecar_path(path: Path) -> Path:
    """The JSON file beside an image."""
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


def mask_path(path: Path) -> Path:
    """The mask of lesions beside a map."""
    return path.with_name(path.name.replace(ENDING, "desc-lesions_mask"))


def numbers_path(path: Path) -> Path:
    """The image of numbered lesions beside a map."""
    return path.with_name(path.name.replace(ENDING, "desc-lesions_dseg"))


def reference_path(path: Path, contrast: str) -> Path:
    """The normal reference of a contrast beside a map.

    Examples
    --------
    >>> reference_path(Path("sub-01_desc-anomaly_map.nii.gz"), "ce-gadolinium_T1w").name
    'sub-01_ce-gadolinium_desc-reference_T1w.nii.gz'
    """
    *entities, suffix = contrast.split("_")
    name = "_".join([map_name(path), *entities, REFERENCE, suffix])
    return path.with_name(f"{name}.nii.gz")


def references_of(path: Path) -> dict[str, Path]:
    """The files of the normal references beside a map, by contrast."""
    found = {}
    for each in sorted(path.parent.glob(f"{map_name(path)}_*{REFERENCE}_*.nii.gz")):
        contrast = each.name.removeprefix(f"{map_name(path)}_").removesuffix(".nii.gz")
        found[contrast.replace(f"{REFERENCE}_", "")] = each
    return found


def lesions_path(path: Path) -> Path:
    """The table of lesions of a map, in the folder of its subject or session."""
    return path.parent.parent / LESIONS


def figure_path(path: Path) -> Path:
    """Where the picture of a map lies: ``sub-*/figures/``, or in the folder of its session's subject."""
    name = path.name.removesuffix(".nii.gz")
    levels = 2 if "_ses-" in name else 1
    return path.parents[levels] / "figures" / f"{name}.png"


def check_distinct(volumes: Iterable[Volume]) -> None:
    """Raise where two volumes would write the same map.

    Raises
    ------
    ValueError
        Names both.
    """
    seen: dict[Path, str] = {}
    for volume in volumes:
        path = map_path(".", volume)
        if path in seen:
            raise ValueError(
                f"Subjects {seen[path]!r} and {name_of(volume)!r} would both write {path.name}: rename one."
            )
        seen[path] = name_of(volume)


def _entity(key, value):
    return f"{key}-{re.sub('[^0-9A-Za-z]', '', value.removeprefix(f'{key}-'))}"
