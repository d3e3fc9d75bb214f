"""What makes a folder of maps a BIDS derivative: its description, and what BIDS has no name for."""

import os
from pathlib import Path

from skad.datasets.bids_writing import BIDS_VERSION
from skad.derivatives.naming import ENDING
from skad.utils.files import write_json, written_whole
from skad.utils.typing import PathLike
from skad.version import GENERATED_BY, __version__

SCANS = "scans"  # what the scans are called in the BIDS URIs of a derivative
# BIDS 1.11 knows masks and segmentations, no maps of a score, and of tables only TSV.
IGNORED = (f"*_{ENDING}.*", "**/figures", "**/figures/**", "*.csv", "*.png", "*.html", "detector.json")
README = """# Anomaly maps

One map per scan, `sub-*/[ses-*/]anat/*_desc-anomaly_map.nii.gz`, made by skad {version} on the grid of the
scan: the higher a voxel, the less it looks like what the detector learned from. Scores have no unit and are
compared within one detector only; NaN (or 0, where the JSON file beside the map says so) is outside the
foreground. The JSON file also names the detector with its SHA-256, the scans and the threshold.

`scores.csv` has one row per scan, `lesions.csv` one per connected region above the threshold,
`*_desc-lesions_mask.nii.gz` those regions.

For research: not a medical device, not for diagnosis.
"""


def describe_derivative(folder: PathLike, scans: PathLike) -> None:
    """Write what a BIDS derivative needs beside its maps; a README or .bidsignore that is there stays.

    Parameters
    ----------
    folder : path-like
        Of the maps.
    scans : path-like
        The folder that the maps are of; its place is written relative to `folder`.
    """
    folder = Path(folder)
    description = {
        "Name": "skad anomaly maps",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": GENERATED_BY,
        "DatasetLinks": {SCANS: _relative(scans, folder)},
    }
    write_json(description, folder / "dataset_description.json")
    if not any(folder.glob("README*")):
        _write_text(README.format(version=__version__), folder / "README.md")
    if not (folder / ".bidsignore").exists():
        _write_text("\n".join(IGNORED) + "\n", folder / ".bidsignore")


def source_uri(path: PathLike, scans: PathLike) -> str:
    """The BIDS URI of a scan, for ``Sources``.

    Examples
    --------
    >>> source_uri("study/sub-01/anat/sub-01_T1w.nii.gz", "study")
    'bids:scans:sub-01/anat/sub-01_T1w.nii.gz'
    """
    return f"bids:{SCANS}:{_relative(path, scans)}"


def _relative(path, start):
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive
        return Path(path).resolve().as_uri()


def _write_text(text, path):
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
