"""Folders in the Brain Imaging Data Structure (BIDS)."""

import csv
from collections import defaultdict
from collections.abc import Sequence

from skad.datasets.cases import Case, Loaded, existing_folder, nifti_files, read_cases, stem
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

ANNOTATIONS = ("mask", "dseg")
# Not what a scanner measured: left out unless asked for by name.
DERIVED = (*ANNOTATIONS, "probseg", "map", "roi")
# Entities that do not say what was measured; only files that differ in them have to be told apart.
SILENT_ENTITIES = ("acq", "rec", "run", "dir", "space", "desc", "res", "echo", "part")


def load_bids(
    folder: PathLike,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    labels: str = "lesion",
    missing: str = "raise",
    on_error: str = "raise",
) -> Loaded:
    """Open the anatomical scans of a BIDS folder, one volume per session.

    Reads ``sub-*/[ses-*/]anat/``. A contrast is named by its suffix and, with a contrast agent, its ``ce``
    entity: ``T1w``, ``FLAIR``, ``ce-gadolinium_T1w``. Other entities are dropped where that leaves one file
    (of several runs the first); else a file is asked for by all that follows the subject, for example
    ``acq-mprage_T1w``. ``label-lesion`` masks or segmentations become the labels and ``label-brain`` or
    ``desc-brain`` masks the mask; both may lie under ``derivatives/``.

    Parameters
    ----------
    folder : path-like
    contrasts : sequence of str, default=None
        None takes those that all subjects have. The first one gives the grid.
    subjects : sequence of str, default=None
        With or without ``sub-``; None takes all.
    labels : str, default="lesion"
        What becomes the labels: masks or segmentations whose ``label`` or ``desc`` entity says so, or whose
        suffix does. For anatomical classes that an `AnatomySegmenter` learns, for example ``"aseg"``
        (``sub-01_desc-aseg_dseg.nii.gz``) or ``"dseg"`` (``sub-01_dseg.nii.gz``).
    missing : {"raise", "nan"}, default="raise"
        What a contrast becomes that a subject does not have: an error or NaN everywhere.
    on_error : {"raise", "collect"}, default="raise"
        "collect" leaves bad subjects out and returns their errors as well.

    Returns
    -------
    volumes : list of Volume
        Their `info` has the subject's columns of participants.tsv as text, its session and the paths.
    errors : dict of str to VolumeReadError
        By subject and session; only with ``on_error="collect"``.

    Raises
    ------
    VolumeReadError
        Names the folder, the subject and contrast, or the file.
    """
    cases = find_bids(existing_folder(folder), labels=labels)
    if not cases:
        raise VolumeReadError(
            f"{folder} has no sub-*/anat/sub-*.nii.gz: give a BIDS folder, or use load_folder."
        )
    return read_cases(cases, contrasts=contrasts, subjects=subjects, missing=missing, on_error=on_error)


def find_bids(folder, *, labels="lesion"):
    """Cases of a BIDS folder; none if it is no such folder."""
    participants = _participants(folder / "participants.tsv")
    files = _by_session(nifti_files(folder, "sub-*/**/anat/sub-*"))
    derived = _by_session(nifti_files(folder, "derivatives/**/sub-*"))
    return [_case(key, files[key], derived.get(key, {}), participants, labels) for key in sorted(files)]


def _case(key, files, derived, participants, labels):
    subject, session = key
    measured = {name: path for name, path in files.items() if _suffix(name) not in DERIVED}
    annotations = {n: path for n, path in (derived | files).items() if _suffix(n) in ANNOTATIONS}
    info = participants.get(subject, {}) | ({"session": session} if session else {})
    return Case(
        subject,
        _by_contrast(measured),
        others=files,
        labels=_annotation(annotations, labels),
        mask=_annotation(annotations, "brain"),
        info=info,
    )


def _by_session(paths):
    """Paths by (subject, session), then by what follows these in the file's name."""
    sessions = defaultdict(dict)
    for path in paths:
        parts = stem(path).split("_")
        session = next((part for part in parts if part.startswith("ses-")), "")
        rest = "_".join(part for part in parts[1:] if part != session)
        sessions[parts[0], session].setdefault(rest, path)
    return sessions


def _by_contrast(files):
    """Files under their contrast's name, where it leaves no doubt which one is meant."""
    candidates = defaultdict(list)
    for name in files:
        candidates[_without(name, SILENT_ENTITIES)].append(name)
    chosen = {contrast: _choose(contrast, names) for contrast, names in candidates.items()}
    return {contrast: files[name] for contrast, name in chosen.items() if name is not None}


def _choose(contrast, names):
    if contrast in names:
        return contrast
    one_apart_from_runs = len({_without(name, ("run",)) for name in names}) == 1
    return min(names) if one_apart_from_runs else None


def _without(name, entities):
    return "_".join(part for part in name.split("_") if part.split("-")[0] not in entities)


def _suffix(name):
    return name.split("_")[-1]


def _annotation(files, what):
    """The file annotated as `what`, the subject's own rather than one in another space."""
    marks = {f"label-{what}", f"desc-{what}"}
    fitting = [name for name in files if marks & {*name.split("_")} or _suffix(name) == what]
    return files[min(fitting, key=lambda name: (len(name.split("_")), name))] if fitting else None


def _participants(path):
    if not path.is_file():
        return {}
    with open(path, newline="", encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    if rows and "participant_id" not in rows[0]:
        raise VolumeReadError(
            f"{path} should have a tab-separated column participant_id: add it or remove the file."
        )
    return {row["participant_id"]: row for row in rows}
