"""Any folder whose layout is one of the known ones."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from skad.datasets.bids import find_bids
from skad.datasets.brats import find_brats
from skad.datasets.cases import Found, find_cases
from skad.datasets.files import Listing
from skad.datasets.inventory import Inventory, Loaded
from skad.datasets.isles import find_isles
from skad.datasets.survey import survey
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

# In this order: ISLES 2022 looks like BIDS but keeps its main contrast and its labels elsewhere.
LAYOUTS: dict[str, Callable[[Listing], Found]] = {
    "ISLES (VSD.Brain.*.MR_DWI.*.nii or sub-strokecase*_dwi.nii.gz)": find_isles,
    "BIDS (sub-*/[ses-*/]anat/sub-*_T1w.nii.gz)": find_bids,
    "BraTS (*_t1ce.nii.gz or *-t1c.nii.gz)": find_brats,
}


def load(
    folder: PathLike,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    missing: str = "raise",
    on_error: str = "raise",
) -> Loaded:
    """Open a folder of scans in BIDS, BraTS or ISLES layout; the layout is recognized.

    Parameters
    ----------
    folder : path-like
        The folder of the cohort, or that of one subject of a BIDS dataset (``sub-*``).
    contrasts : sequence of str, default=None
        Names as in BIDS (``T1w``, ``ce-gadolinium_T1w``, ``T2w``, ``FLAIR``, ``dwi``) in every layout. None
        takes those that all subjects have.
    subjects : sequence of str, default=None
        With or without ``sub-``; None takes all.
    missing : {"raise", "nan"}, default="raise"
        What a contrast becomes that a subject does not have: an error or NaN everywhere.
    on_error : {"raise", "collect"}, default="raise"
        "collect" leaves bad subjects out and returns their errors as well.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to VolumeReadError
        Only with ``on_error="collect"``.

    Raises
    ------
    VolumeReadError
        Says what was looked for; names the subject and contrast, or the file.

    Warns
    -----
    CohortWarning
        Files that somebody may expect to be used are not; some subjects lack labels.
    GeometryWarning
        Images of a subject that lie on different grids, or whose headers disagree with themselves.

    See Also
    --------
    take_inventory : Which files are used, and why others are not.

    Examples
    --------
    >>> import tempfile
    >>> from skad.datasets import load, make_phantom
    >>> from skad.io import write_map
    >>> folder = tempfile.mkdtemp()
    >>> phantom, = make_phantom(1, shape=(16, 20, 8), contrasts=["FLAIR"], random_state=0)
    >>> _ = write_map(phantom.contrasts["FLAIR"], phantom, f"{folder}/sub-01/anat/sub-01_FLAIR.nii.gz")
    >>> load(folder)
    [Volume('sub-01', FLAIR, 16x20x8 voxels of 10.7x10.7x23 mm)]
    """
    inventory = take_inventory(folder, contrasts=contrasts, subjects=subjects)
    return inventory.open(missing=missing, on_error=on_error)


def take_inventory(
    folder: PathLike,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    sessions: Sequence[str] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
) -> Inventory:
    """List the files of a folder in BIDS, BraTS or ISLES layout without opening an image.

    Parameters
    ----------
    folder : path-like
        The folder of the cohort, or that of one subject of a BIDS dataset (``sub-*``).
    contrasts : sequence of str, default=None
        None takes those that all chosen subjects have.
    subjects, sessions : sequence of str, default=None
        With or without ``sub-`` and ``ses-``; None takes all. Folders of other subjects are not entered.
    where : dict of str to str, default=None
        Columns of participants.tsv and the values they should have, for example ``{"fold": "train"}``.
        ``participant_id`` and ``session`` need no table: they mean `subjects` and `sessions`.

    Returns
    -------
    Inventory
        What is used of each subject, and every other image file with the reason why it is not.

    Raises
    ------
    VolumeReadError
        Says what was looked for.
    SelectionError
        `subjects`, `sessions` or `where` select nothing, or name what is not there.

    See Also
    --------
    load : The same folder as volumes.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.datasets import make_phantom, take_inventory
    >>> from skad.io import write_map
    >>> (volume,) = make_phantom(n_subjects=1, shape=(24, 28, 8), random_state=0)
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ("T1w", "FLAIR"):
    ...     path = f"{folder.name}/sub-01/anat/sub-01_{name}.nii.gz"
    ...     _ = write_map(volume.contrasts[name], volume, path)
    >>> inventory = take_inventory(folder.name, contrasts=["T1w"])
    >>> inventory.summary()
    '1 subject with T1w; labels: 0 of 1, masks: 0 of 1, image files not used: 1.'
    >>> inventory.unused[0].reason
    'shows FLAIR, which is not among the contrasts T1w'
    >>> folder.cleanup()
    """
    where = dict(where or {})
    if "participant_id" in where:
        subjects = _names(where.pop("participant_id"))
    if "session" in where:
        sessions = _names(where.pop("session"))
    dataset = dataset_of(folder)
    if subjects is None and dataset != Path(folder):
        subjects = [Path(folder).name]
    listing, found = find_cases(dataset, _find_any, subjects)
    if not found.cases:
        raise VolumeReadError(_unknown(listing))
    return survey(listing, found, contrasts=contrasts, subjects=subjects, sessions=sessions, where=where)


def _names(values):
    """The values that are names of subjects or sessions, as ``"01,02"`` is none."""
    return [name for name in ([values] if isinstance(values, str) else values) if "," not in name]


def _find_any(listing):
    """What the first layout that recognizes the files makes of them."""
    every = (find(listing) for find in LAYOUTS.values())
    return next((found for found in every if found.cases), Found("", []))


def dataset_of(folder: PathLike) -> Path:
    """The folder of all subjects: that above, where `folder` is that of one subject of a BIDS dataset."""
    folder = Path(folder)
    inside = folder.iterdir() if folder.name.startswith("sub-") and folder.is_dir() else ()
    is_subject = any(
        each.is_dir() and (each.name == "anat" or each.name.startswith("ses-")) for each in inside
    )
    return folder.absolute().parent if is_subject else folder


def _unknown(listing):
    """Why a folder is in no layout, and what to do."""
    if listing.unused and all(each.path.suffix.lower() == ".dcm" for each in listing.unused):
        absent = "" if shutil.which("dcm2niix") else " (not installed here: github.com/rordenlab/dcm2niix)"
        return (
            f"{listing.folder} holds DICOM files, and skad reads NIfTI: convert them with dcm2niix{absent}, "
            f'as in `dcm2niix -z y -b y -f "sub-01_%d" -o nifti/ {listing.folder}`, and name them as BIDS '
            "does."
        )
    rest = ""
    if listing.unused:
        rest = f"; {listing.relative(listing.unused[0].path)} {listing.unused[0].reason}"
    return (
        f"{listing.folder} is in none of the known layouts, {'; '.join(LAYOUTS)}{rest}: rename the files, or "
        "use skad.datasets.load_folder with a pattern."
    )
