"""Folders of the Ischemic Stroke Lesion Segmentation (ISLES) challenges."""

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
    >>> from skad.datasets import load_isles, make_phantom
    >>> from skad.io import write_map
    >>> folder = tempfile.mkdtemp()
    >>> phantom, = make_phantom(1, shape=(16, 20, 8), contrasts=["dwi"], random_state=0)
    >>> path = "sub-strokecase0001/ses-0001/dwi/sub-strokecase0001_ses-0001_dwi.nii.gz"
    >>> _ = write_map(phantom.contrasts["dwi"], phantom, f"{folder}/{path}")
    >>> load_isles(folder)
    [Volume('sub-strokecase0001', dwi, 16x20x8 voxels of 10.7x10.7x23 mm)]
    """
    listing = list_images(folder)
    found = find_isles(listing)
    if not found.cases:
        raise VolumeReadError(
            f"{folder} has neither VSD.Brain.*.MR_DWI.*.nii (2015) nor sub-strokecase*_dwi.nii.gz (2022): "
            "give an ISLES folder."
        )
    return survey(listing, found, contrasts=contrasts, subjects=subjects).open(
        missing=missing, on_error=on_error
    )


def find_isles(listing):
    """Cases of an ISLES folder; none if it is no such folder."""
    cases = _find_2015(listing.folder, listing.images) or _find_2022(listing.images)
    taken = {path for case in cases for path in case.files}
    unused = [_unused(path) for path in listing.images if path not in taken]
    return Found("ISLES", cases, tuple(unused))


def _unused(path):
    """Why a file of an ISLES folder is in no case; lesions of a case without images are doubtful."""
    match = FILE_NAME_2022.fullmatch(stem(path))
    known = match["kind"] if match else ""
    reason = (
        "is another file of a kind that the case has already" if known else "has a name that is none of ISLES"
    )
    return Unused(
        path, f"{reason}: it is not used", doubtful=known == "msk" or bool(MASK_LIKE.search(stem(path)))
    )


def _find_2015(folder, files):
    found = defaultdict(dict)
    for path in files:
        if match := FILE_NAME_2015.fullmatch(stem(path)):
            # each file lies in a folder of its own name inside the case's folder
            case = path.parent.parent if path.parent.name.startswith("VSD.") else path.parent
            found[case][match["contrast"] or "labels"] = path
    return [
        Case(
            _relative_name(folder, case),
            _renamed(images, CONTRASTS_2015),
            annotated=Annotations(images.get("labels")),
        )
        for case, images in sorted(found.items())
    ]


def _find_2022(files):
    found = defaultdict(dict)
    for path in files:
        if match := FILE_NAME_2022.fullmatch(stem(path)):
            found[match["subject"], match["session"]].setdefault(match["kind"], path)
    return [
        Case(
            subject,
            _renamed(images, CONTRASTS_2022),
            annotated=Annotations(images.get("msk")),
            info={"session": session},
        )
        for (subject, session), images in sorted(found.items())
        if "dwi" in images
    ]


def _renamed(images, names):
    """Images in the order of `names`, under their new names."""
    return {new: images[old] for old, new in names.items() if old in images}


def _relative_name(folder, case):
    return "-".join(case.relative_to(folder).parts) or case.name
