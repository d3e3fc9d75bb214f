"""Folders of the Ischemic Stroke Lesion Segmentation (ISLES) challenges."""

import re
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.cases import Case, Loaded, existing_folder, nifti_files, read_cases, stem
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

CONTRASTS_2015 = {"T1": "T1w", "T2": "T2w", "Flair": "FLAIR", "DWI": "dwi"}
FILE_NAME_2015 = re.compile(r"VSD\.Brain.*\.(?:MR_(?P<contrast>\w+)|(?P<labels>OT))(?:_reg)?\.\d+")

CONTRASTS_2022 = {"dwi": "dwi", "adc": "adc", "flair": "FLAIR", "FLAIR": "FLAIR"}
FILE_NAME_2022 = re.compile(
    r"(?P<subject>sub-strokecase\d+)_(?P<session>ses-\d+)_(?:.*_)?(?P<kind>dwi|adc|flair|FLAIR|msk)"
)


def load_isles(
    folder: PathLike,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    missing: str = "raise",
    on_error: str = "raise",
) -> Loaded:
    """Open a folder of ISLES 2015 (sub-acute strokes, SISS) or ISLES 2022.

    Contrasts get the names ``dwi``, ``FLAIR``, ``T1w``, ``T2w`` (2015) or ``dwi``, ``adc``, ``FLAIR`` (2022);
    the lesion becomes the labels. The images of 2022 lie on different grids: the diffusion-weighted one comes
    first, because the lesion was drawn on it.

    Parameters
    ----------
    folder : path-like
        Cases at any depth.
    contrasts, subjects, missing, on_error
        As in `load_bids`.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to VolumeReadError
        Only with ``on_error="collect"``.

    Raises
    ------
    VolumeReadError
        Names the folder, the subject and contrast, or the file.
    """
    cases = find_isles(existing_folder(folder))
    if not cases:
        raise VolumeReadError(
            f"{folder} has neither VSD.Brain.*.MR_DWI.*.nii (2015) nor sub-strokecase*_dwi.nii.gz (2022): "
            "give an ISLES folder."
        )
    return read_cases(cases, contrasts=contrasts, subjects=subjects, missing=missing, on_error=on_error)


def find_isles(folder):
    """Cases of an ISLES folder; none if it is no such folder."""
    files = nifti_files(folder)
    return _find_2015(folder, files) or _find_2022(files)


def _find_2015(folder, files):
    found = defaultdict(dict)
    for path in files:
        if match := FILE_NAME_2015.fullmatch(stem(path)):
            # each file lies in a folder of its own name inside the case's folder
            case = path.parent.parent if path.parent.name.startswith("VSD.") else path.parent
            found[case][match["contrast"] or "labels"] = path
    return [
        Case(_relative_name(folder, case), _renamed(images, CONTRASTS_2015), labels=images.get("labels"))
        for case, images in sorted(found.items())
    ]


def _find_2022(files):
    found = defaultdict(dict)
    for path in files:
        if match := FILE_NAME_2022.fullmatch(stem(path)):
            found[match["subject"], match["session"]].setdefault(match["kind"], path)
    return [
        Case(subject, _renamed(images, CONTRASTS_2022), labels=images.get("msk"), info={"session": session})
        for (subject, session), images in sorted(found.items())
        if "dwi" in images
    ]


def _renamed(images, names):
    """Images in the order of `names`, under their new names."""
    return {new: images[old] for old, new in names.items() if old in images}


def _relative_name(folder, case):
    return "-".join(case.relative_to(folder).parts) or case.name
