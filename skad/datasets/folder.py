"""Folders in a layout of one's own."""

import re
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.bids_names import FACE, MASK_LIKE
from skad.datasets.cases import Annotations, Case, Found
from skad.datasets.files import Unused, list_images, stem
from skad.datasets.inventory import Loaded
from skad.datasets.survey import survey
from skad.io import VolumeReadError
from skad.utils.typing import PathLike


def load_folder(
    folder: PathLike,
    *,
    pattern: str = "{subject}_{contrast}",
    contrasts: Sequence[str] | None = None,
    labels: str = "seg",
    mask: str = "mask",
    subjects: Sequence[str] | None = None,
    missing: str = "raise",
    on_error: str = "raise",
) -> Loaded:
    """Open the NIfTI files of a folder whose names follow a pattern.

    Parameters
    ----------
    folder : path-like
        The folder of the files.
    pattern : str, default="{subject}_{contrast}"
        A file's path inside the folder, without .nii or .nii.gz; ``{subject}`` and ``{contrast}`` stand for
        text without a slash. For example ``"{subject}/{contrast}"`` or ``"{subject}/anat/scan_{contrast}"``.
    contrasts : sequence of str, default=None
        Names as in the files. None takes those that all subjects have and that do not look like a mask;
        ``{contrast}`` then is as short as possible, so name contrasts that contain the pattern's separator.
    labels, mask : str, default="seg", "mask"
        What stands for ``{contrast}`` in the files of labels and masks.
    subjects : sequence of str, default=None
        Names as in the files; None takes all.
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
    ValueError
        The pattern lacks ``{subject}`` or ``{contrast}``.
    VolumeReadError
        Names the folder, the subject and contrast, or the file.

    See Also
    --------
    skad.datasets.load_bids : For folders in BIDS layout.
    skad.datasets.load : Recognizes BIDS, BraTS and ISLES.

    Examples
    --------
    >>> import tempfile
    >>> from skad.datasets import load_folder, make_phantom
    >>> from skad.io import write_map
    >>> folder = tempfile.mkdtemp()
    >>> phantom, = make_phantom(1, shape=(16, 20, 8), contrasts=["FLAIR"], random_state=0)
    >>> _ = write_map(phantom.contrasts["FLAIR"], phantom, f"{folder}/ann_FLAIR.nii.gz")
    >>> load_folder(folder)
    [Volume('ann', FLAIR, 16x20x8 voxels of 10.7x10.7x23 mm)]
    """
    names = None if contrasts is None else (*contrasts, labels, mask)
    listing = list_images(folder)
    found = find_in_folder(listing, _expression(pattern, names), labels, mask, by_name=names is not None)
    if not found.cases:
        raise VolumeReadError(
            f"{folder} has no NIfTI file whose path matches {pattern!r}: check the pattern."
        )
    return survey(listing, found, contrasts=contrasts, subjects=subjects).open(
        missing=missing, on_error=on_error
    )


def find_in_folder(listing, expression, labels, mask, *, by_name=False):
    """Cases among the files whose path matches a regular expression with groups subject and contrast.

    A name that looks like a mask becomes a contrast only where contrasts are asked for `by_name`.
    """
    found, unused = defaultdict(dict), []
    for path in listing.images:
        match = expression.fullmatch(listing.relative(path.with_name(stem(path))))
        looks_like_a_mask = bool(MASK_LIKE.search(path.name) or FACE.search(path.name))
        if not match:
            unused.append(Unused(path, "has a path that does not match the pattern", looks_like_a_mask))
        elif _is_contrast(match["contrast"], labels, mask) or by_name:
            found[match["subject"]][match["contrast"]] = path
        else:
            reason = (
                f"looks like a mask or labels: ask for it as contrast, labels or mask {match['contrast']!r}"
            )
            unused.append(Unused(path, reason, doubtful=not FACE.search(match["contrast"])))
    cases = [
        Case(
            subject,
            {name: path for name, path in files.items() if name not in (labels, mask)},
            annotated=Annotations(files.get(labels), files.get(mask)),
        )
        for subject, files in sorted(found.items())
    ]
    return Found("pattern", cases, tuple(unused))


def _is_contrast(name, labels, mask):
    """Whether a name is that of the labels, of the mask, or of something measured."""
    return name in (labels, mask) or not (MASK_LIKE.search(name) or FACE.search(name))


def _expression(pattern, names):
    if pattern.count("{subject}") != 1 or pattern.count("{contrast}") != 1:
        raise ValueError(f"pattern should hold {{subject}} and {{contrast}} once each, got {pattern!r}.")
    contrast = "[^/]+?" if names is None else "|".join(map(re.escape, names))
    # with known contrasts the subject takes as little as it can, so that ce-gadolinium_T1w is not cut into
    # T1w
    subject = "[^/]+" if names is None else "[^/]+?"
    text = re.escape(pattern)
    text = text.replace(re.escape("{subject}"), f"(?P<subject>{subject})")
    return re.compile(text.replace(re.escape("{contrast}"), f"(?P<contrast>{contrast})"))
