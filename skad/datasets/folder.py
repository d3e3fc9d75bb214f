"""Folders in a layout of one's own."""

import re
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.cases import Case, Loaded, existing_folder, nifti_files, read_cases
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
    pattern : str, default="{subject}_{contrast}"
        A file's path inside the folder, without .nii or .nii.gz; ``{subject}`` and ``{contrast}`` stand for
        text without a slash. For example ``"{subject}/{contrast}"`` or ``"{subject}/anat/scan_{contrast}"``.
    contrasts : sequence of str, default=None
        Names as in the files. None takes those that all subjects have; ``{contrast}`` then is as short as
        possible, so name contrasts that contain the pattern's separator.
    labels, mask : str, default="seg", "mask"
        What stands for ``{contrast}`` in the files of labels and masks.
    subjects, missing, on_error
        As in `load_bids`.

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
    """
    names = None if contrasts is None else (*contrasts, labels, mask)
    cases = find_in_folder(existing_folder(folder), _expression(pattern, names), labels, mask)
    if not cases:
        raise VolumeReadError(
            f"{folder} has no NIfTI file whose path matches {pattern!r}: check the pattern."
        )
    return read_cases(cases, contrasts=contrasts, subjects=subjects, missing=missing, on_error=on_error)


def find_in_folder(folder, expression, labels, mask):
    """Cases among the files whose path matches a regular expression with groups subject and contrast."""
    found = defaultdict(dict)
    for path in nifti_files(folder):
        name = path.relative_to(folder).as_posix().removesuffix(".gz").removesuffix(".nii")
        if match := expression.fullmatch(name):
            found[match["subject"]][match["contrast"]] = path
    return [
        Case(
            subject,
            {name: path for name, path in files.items() if name not in (labels, mask)},
            labels=files.get(labels),
            mask=files.get(mask),
        )
        for subject, files in sorted(found.items())
    ]


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
