"""What the commands leave on disk: where maps lie, what stands beside them, tables."""

import contextlib
import csv
import hashlib
import json
import re
import sys
from pathlib import Path

from skad.cli.json_output import record_under
from skad.utils.files import written_whole
from skad.version import __version__

ENDING = "desc-anomaly_map"
SCORES, DRIFT = "scores.csv", "drift.csv"  # of `skad score`
EVALUATION, LESION_SIZES, ROC = "evaluation.csv", "lesion_sizes.csv", "roc.png"  # of `skad evaluate`
LESION_VOLUMES = "lesion_volumes.csv"  # too
REPORT = "report.html"  # of both
GENERATED_BY = [
    {"Name": "skad", "Version": __version__, "CodeURL": "https://github.com/skad-developers/skad"}
]


@contextlib.contextmanager
def new_folder(path):
    """Make a folder for output; what of it is still empty at the end vanishes again.

    Raises
    ------
    ValueError
        It cannot be made.
    """
    path = Path(path)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be made a folder ({error.strerror}): choose a place you may write to."
        ) from error
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()


def name_of(volume):
    """Subject and, where there are several, session: what a volume is called in tables and messages."""
    return "_".join(filter(None, (volume.subject, volume.info.get("session"))))


def map_path(folder, volume):
    """Where the map of a volume lies: ``sub-*/[ses-*/]anat/sub-*_[ses-*_]desc-anomaly_map.nii.gz``.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> map_path("maps", Volume({"T1w": np.ones((2, 3, 4))}, np.eye(4), subject="BraTS20_007")).as_posix()
    'maps/sub-BraTS20007/anat/sub-BraTS20007_desc-anomaly_map.nii.gz'
    """
    parts = [_entity("sub", volume.subject)]
    if volume.info.get("session"):
        parts.append(_entity("ses", volume.info["session"]))
    return Path(folder, *parts, "anat", "_".join([*parts, f"{ENDING}.nii.gz"]))


def map_name(path):
    """Subject and, where there are several, session, as in the name of a map.

    Examples
    --------
    >>> map_name(Path("maps/sub-01/anat/sub-01_desc-anomaly_map.nii.gz"))
    'sub-01'
    """
    return path.name.removesuffix(f"_{ENDING}.nii.gz")


def figure_path(folder, volume):
    """Where the picture of a volume's map lies: ``sub-*/figures/``."""
    name = map_path(folder, volume).name.removesuffix(".nii.gz")
    return Path(folder, name.split("_")[0], "figures", f"{name}.png")


def sidecar_path(path):
    """The JSON file beside a map."""
    return path.with_name(path.name.removesuffix(".nii.gz") + ".json")


def check_distinct(volumes):
    """Raise where two volumes would write the same map."""
    seen = {}
    for volume in volumes:
        path = map_path(".", volume)
        if path in seen:
            raise ValueError(
                f"Subjects {seen[path]!r} and {name_of(volume)!r} would both write {path.name}: rename one."
            )
        seen[path] = name_of(volume)


def write_json(content, path):
    """Write JSON, complete or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def write_table(rows, path, columns=()):
    """Write dicts as CSV, complete or not at all; these columns, then others in the order of appearance."""
    columns = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    record_under("tables", {Path(path).as_posix(): rows})


def digest(path):
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def one_line(error):
    """What went wrong, on one line; the kind of error is named where it is no mistake of the user."""
    text = " ".join(str(error).split())
    return (
        text
        if isinstance(error, ValueError | OSError | MemoryError) and text
        else f"{type(error).__name__}: {text}"
    )


def tell(text):
    """Say what is done, at once even when a file listens."""
    print(text, flush=True)
    record_under("messages", [text])


def complain(command, errors):
    """One line per subject that failed."""
    for subject, error in errors.items():
        print(f"skad {command}: {subject}: {one_line(error)}", file=sys.stderr, flush=True)
    record_under("errors", {subject: one_line(error) for subject, error in errors.items()})


def _entity(key, value):
    return f"{key}-{re.sub('[^0-9A-Za-z]', '', value.removeprefix(f'{key}-'))}"
