"""Folders of the Brain Tumor Segmentation (BraTS) challenges."""

import re
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.bids_names import MASK_LIKE
from skad.datasets.cases import Annotations, Case, Found
from skad.datasets.files import Unused, list_images, stem
from skad.datasets.inventory import Loaded
from skad.datasets.survey import survey
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
SEGMENTATION = re.compile(r"(^|[_.\- ])seg(m|mentation)?$", re.IGNORECASE)
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
    """Open a folder of a BraTS challenge, named as in 2017-2021 or as since 2023.

    Contrasts get the names ``T1w``, ``ce-gadolinium_T1w``, ``T2w``, ``FLAIR``; the segmentation becomes the
    labels with the challenge's own numbers. The images are skull-stripped and on one grid, so there is no
    mask file: the preprocessing takes what is not zero. Where a case lacks its segmentation and one other
    file of its folder ends in ``seg`` or ``Segm``, as in case 355 of 2020, that one is taken, with a warning.

    Parameters
    ----------
    folder : path-like
        Cases at any depth, for example in ``HGG`` and ``LGG``, which is kept as `info["grade"]`.
    contrasts : sequence of str, default=None
        None takes those that all subjects have. The first one gives the grid.
    subjects : sequence of str, default=None
        None takes all.
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
        Names the folder, the subject and contrast, or the file.

    See Also
    --------
    skad.datasets.load : Recognizes the layout.
    skad.datasets.take_inventory : Which files are used, and why others are not.

    Examples
    --------
    >>> import tempfile
    >>> from skad.datasets import load_brats, make_phantom
    >>> from skad.io import write_map
    >>> folder = tempfile.mkdtemp()
    >>> phantom, = make_phantom(1, shape=(16, 20, 8), contrasts=["FLAIR"], random_state=0)
    >>> path = f"{folder}/BraTS-GLI-00001-000/BraTS-GLI-00001-000-t2f.nii.gz"
    >>> _ = write_map(phantom.contrasts["FLAIR"], phantom, path)
    >>> load_brats(folder)
    [Volume('BraTS-GLI-00001', FLAIR, 16x20x8 voxels of 10.7x10.7x23 mm)]
    """
    listing = list_images(folder)
    found = find_brats(listing)
    if not found.cases:
        raise VolumeReadError(
            f"{folder} has no *_t1ce.nii.gz or *-t1c.nii.gz at any depth: give a BraTS folder."
        )
    return survey(listing, found, contrasts=contrasts, subjects=subjects).open(
        missing=missing, on_error=on_error
    )


def find_brats(listing):
    """Cases of a BraTS folder; none if it is no such folder."""
    found, strays = defaultdict(dict), []
    for path in listing.images:
        if match := FILE_NAME.fullmatch(stem(path)):
            found[match["case"]][match["kind"]] = path
        else:
            strays.append(path)
    files = {name: kinds for name, kinds in sorted(found.items()) if kinds.keys() != {"seg"}}
    guesses = _misnamed(files, strays)
    cases = [_case(name, kinds, guesses.get(name)) for name, kinds in files.items()]
    unused = [_unused(path) for path in strays if path not in guesses.values()]
    unused += [
        Unused(kinds["seg"], "is a segmentation without images: it is not used", doubtful=True)
        for name, kinds in found.items()
        if name not in files
    ]
    return Found("BraTS", cases, tuple(unused))


def _case(name, files, guess):
    match = CASE_NAME.fullmatch(name)
    images = {CONTRASTS[kind]: path for kind, path in files.items() if kind != "seg"}
    info = {"session": match["session"]} if match else {}
    grade = next((part for part in next(iter(files.values())).parts if part in ("HGG", "LGG")), None)
    info |= {"grade": grade} if grade else {}
    note = f"{guess.name} is taken for the segmentation of {name}, beside which it lies" if guess else ""
    return Case(
        match["subject"] if match else name,
        images,
        annotated=Annotations(files.get("seg", guess), notes=(note,) if guess else ()),
        info=info,
    )


def _misnamed(files, strays):
    """Segmentations under another name: the only such file in the folder of a case that has none.

    Case 355 of BraTS 2020 is the known example.
    """
    cases_in = defaultdict(set)
    for name, kinds in files.items():
        for path in kinds.values():
            cases_in[path.parent].add(name)
    guesses = {}
    for folder, names in cases_in.items():
        candidates = [path for path in strays if path.parent == folder and SEGMENTATION.search(stem(path))]
        (name,) = names if len(names) == 1 else (None,)
        if name is not None and "seg" not in files[name] and len(candidates) == 1:
            guesses[name] = candidates[0]
    return guesses


def _unused(path):
    return Unused(
        path,
        "has a name that is none of BraTS: it is not used",
        doubtful=bool(MASK_LIKE.search(stem(path))),
    )
