"""Folders of the Brain Tumor Segmentation (BraTS) challenges."""

import re
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.cases import Case, Loaded, existing_folder, nifti_files, read_cases, stem
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

# Names up to 2021 (_t1ce) and from 2023 on (-t1c).
CONTRASTS = {
    "t1": "T1w",
    "t1n": "T1w",
    "t1ce": "ce-gadolinium_T1w",
    "t1c": "ce-gadolinium_T1w",
    "t2": "T2w",
    "t2w": "T2w",
    "flair": "FLAIR",
    "t2f": "FLAIR",
}
FILE_NAME = re.compile(rf"(?P<case>.+)[_-](?P<kind>{'|'.join(CONTRASTS)}|seg)")
# From 2023 on a patient may come more than once: BraTS-GLI-00001-000, BraTS-GLI-00001-001.
CASE_NAME = re.compile(r"(?P<subject>BraTS-[A-Z]+-\d+)-(?P<session>\d{3})")


def load_brats(
    folder: PathLike,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    missing: str = "raise",
    on_error: str = "raise",
) -> Loaded:
    """Open a folder of a BraTS challenge, in the names of 2017-2021 or of 2023 and later.

    Contrasts get the names ``T1w``, ``ce-gadolinium_T1w``, ``T2w``, ``FLAIR``; the segmentation becomes the
    labels with the challenge's own numbers. The images are skull-stripped and on one grid, so there is no
    mask file: the preprocessing takes what is not zero.

    Parameters
    ----------
    folder : path-like
        Cases at any depth, for example in ``HGG`` and ``LGG``, which is kept as `info["grade"]`.
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
    cases = find_brats(existing_folder(folder))
    if not cases:
        raise VolumeReadError(
            f"{folder} has no *_t1ce.nii.gz or *-t1c.nii.gz at any depth: give a BraTS folder."
        )
    return read_cases(cases, contrasts=contrasts, subjects=subjects, missing=missing, on_error=on_error)


def find_brats(folder):
    """Cases of a BraTS folder; none if it is no such folder."""
    found = defaultdict(dict)
    for path in nifti_files(folder):
        if match := FILE_NAME.fullmatch(stem(path)):
            found[match["case"]][match["kind"]] = path
    return [_case(name, files) for name, files in sorted(found.items()) if files.keys() != {"seg"}]


def _case(name, files):
    match = CASE_NAME.fullmatch(name)
    images = {CONTRASTS[kind]: path for kind, path in files.items() if kind != "seg"}
    info = {"session": match["session"]} if match else {}
    grade = next((part for part in next(iter(files.values())).parts if part in ("HGG", "LGG")), None)
    info |= {"grade": grade} if grade else {}
    return Case(match["subject"] if match else name, images, labels=files.get("seg"), info=info)
