"""Any folder whose layout is one of the known ones."""

from collections.abc import Sequence

from skad.datasets.bids import find_bids
from skad.datasets.brats import find_brats
from skad.datasets.cases import Case, Loaded, existing_folder, read_cases
from skad.datasets.isles import find_isles
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

# In this order: ISLES 2022 looks like BIDS but keeps its main contrast and its labels elsewhere.
LAYOUTS = {
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
    """Open a folder of scans in BIDS, BraTS or ISLES layout, whichever it is.

    Parameters
    ----------
    folder : path-like
    contrasts : sequence of str, default=None
        Names as in BIDS (``T1w``, ``ce-gadolinium_T1w``, ``T2w``, ``FLAIR``, ``dwi``) in every layout. None
        takes those that all subjects have.
    subjects, missing, on_error
        As in `load_bids`.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to VolumeReadError
        Only with ``on_error="collect"``.

    Raises
    ------
    VolumeReadError
        Says what was looked for; names the subject and contrast, or the file.
    """
    folder = existing_folder(folder)
    cases: list[Case] = next((found for find in LAYOUTS.values() if (found := find(folder))), [])
    if not cases:
        raise VolumeReadError(
            f"{folder} is in none of the known layouts, {'; '.join(LAYOUTS)}: rename the files, or use "
            "skad.datasets.load_folder with a pattern."
        )
    return read_cases(cases, contrasts=contrasts, subjects=subjects, missing=missing, on_error=on_error)
