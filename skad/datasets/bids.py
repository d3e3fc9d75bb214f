"""Folders in the Brain Imaging Data Structure (BIDS)."""

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from skad.datasets.bids_case import BidsCase, by_contrast
from skad.datasets.bids_names import FACE, MASK_LIKE, BidsFile
from skad.datasets.cases import Found, find_cases
from skad.datasets.files import Unused, stem
from skad.datasets.inventory import Loaded
from skad.datasets.participants import read_participants
from skad.datasets.survey import survey
from skad.io import VolumeReadError
from skad.utils.typing import PathLike

OTHER_DATA = ("func", "dwi", "fmap", "perf", "pet", "meg", "eeg", "ieeg", "mrs")


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

    Reads ``sub-*/[ses-*/]anat/``. A contrast is named by its suffix, which has to be one of those that a
    scanner measures, and, with a contrast agent, its ``ce`` entity: ``T1w``, ``FLAIR``,
    ``ce-gadolinium_T1w``. Other entities are dropped where that leaves one file (of several runs the first);
    else a file is asked for by all that follows the subject, for example ``acq-mprage_T1w``. Lesion masks or
    segmentations (``label-lesion_mask``, ``label-lesion_roi``, ``desc-*lesion*_mask``, ``label-WMH_mask`` and
    the like) become the labels and ``label-brain`` or ``desc-brain`` masks the mask, where they share space,
    session, acquisition, run and resolution with a scan; both may lie under ``derivatives/``.

    Parameters
    ----------
    folder : path-like
        The root of the BIDS dataset.
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

    Warns
    -----
    CohortWarning
        A mask that is not recognized or belongs to no scan, a link to nothing, subjects without labels among
        others that have them.
    GeometryWarning
        Images of a subject that lie on different grids, or whose headers disagree with themselves.

    See Also
    --------
    take_inventory : Which files are used, and why others are not.

    Examples
    --------
    >>> import tempfile
    >>> from skad.datasets import load_bids, make_phantom
    >>> from skad.io import write_map
    >>> folder = tempfile.mkdtemp()
    >>> phantom, = make_phantom(1, shape=(16, 20, 8), contrasts=["FLAIR"], random_state=0)
    >>> _ = write_map(phantom.contrasts["FLAIR"], phantom, f"{folder}/sub-01/anat/sub-01_FLAIR.nii.gz")
    >>> load_bids(folder)
    [Volume('sub-01', FLAIR, 16x20x8 voxels of 10.7x10.7x23 mm)]
    """
    listing, found = find_cases(folder, partial(find_bids, labels=labels), subjects)
    if not found.cases:
        raise VolumeReadError(
            f"{folder} has no sub-*/anat/sub-*.nii.gz: give a BIDS folder, or use load_folder."
        )
    return survey(listing, found, contrasts=contrasts, subjects=subjects).open(
        missing=missing, on_error=on_error
    )


def find_bids(listing, *, labels="lesion"):
    """Cases of a BIDS folder; none if it is no such folder."""
    scans, annotations, others, unused = defaultdict(dict), defaultdict(list), defaultdict(dict), []
    for path in listing.images:
        folders = path.relative_to(listing.folder).parts[:-1]
        if not path.name.startswith("sub-"):
            unused.append(_nameless(path))
            continue
        file = BidsFile.parse(path, folders)
        reason, doubtful = _place_problem(file, folders)
        kind = "labels" if file.shows(labels) else "mask" if file.shows("brain") else None
        if not reason and _found_by_skad(file, listing.folder):
            reason, doubtful = "holds lesions that skad has found, no truth", False
        if reason:
            unused.append(Unused(path, reason, doubtful or (kind == "labels" and doubtful is None)))
            continue
        key = file.subject, file.session
        if not file.derived:
            others[key].setdefault(file.rest, path)
        if kind:
            annotations[key].append((kind, file))
        elif file.is_measured and not file.derived:
            if scans[key].setdefault(file.rest, file) is not file:
                same = scans[key][file.rest].path.name
                unused.append(Unused(path, f"has the same name as {same}, which is used", doubtful=True))
        else:
            unused.append(_unrecognized(file, labels))
    participants = read_participants(listing.folder / "participants.tsv")
    _spread_over_sessions(annotations, scans, unused)
    cases = []
    for key in sorted(others):
        cases.append(_case(key, scans[key], others[key], annotations.get(key, []), participants, labels))
    return Found("BIDS", cases, tuple(unused))


def _case(key, scans, others, annotations, participants, labels):
    subject, session = key
    images, alternatives = by_contrast(list(scans.values()))
    candidates = {kind: [file for each, file in annotations if each == kind] for kind in ("labels", "mask")}
    info = participants.of(subject, session) | ({"session": session} if session else {})
    return BidsCase(
        subject,
        images,
        others=others,
        info=info,
        scans=tuple(scans.values()),
        alternatives=tuple(alternatives),
        candidates=candidates,
        what=labels,
    )


def _spread_over_sessions(annotations, scans, unused):
    """Give annotations without a session to their subject's only one, in place; the others are unused."""
    for key in list(annotations):
        if key in scans:
            continue
        subject, session = key
        sessions = [other for other in scans if other[0] == subject]
        for kind, file in annotations.pop(key):
            if not session and len(sessions) == 1:
                annotations[sessions[0]].append((kind, file))
            else:
                reason = (
                    f"belongs to {session or 'no session'}, of which there is no scan: it is not used"
                    if sessions
                    else "belongs to a subject without scans: it is not used"
                )
                unused.append(Unused(file.path, reason, doubtful=kind == "labels" or bool(sessions)))


def _place_problem(file, folders):
    """Why a file does not count where it lies, and whether that is doubtful (None: if it shows lesions)."""
    subjects = [name for name in folders if name.startswith("sub-")]
    sessions = [name for name in folders if name.startswith("ses-")]
    if subjects and subjects[-1] != file.subject:
        return f"lies in the folder of {subjects[-1]} but is named {file.subject}: rename it", True
    if sessions and sessions[-1] != file.session:
        return f"lies in the folder of {sessions[-1]} but is named {file.session}: rename it", True
    if file.derived:
        if folders[-1] in OTHER_DATA or "task" in file.entities:
            return "is no anatomical scan", None
        return "", False
    if not folders or not folders[0].startswith("sub-"):
        return "lies neither in a folder sub-* nor in derivatives", None
    if folders[-1] != "anat":
        return "lies in no folder anat", None
    return "", False


def _nameless(path):
    """A file whose name does not say whose it is; one that looks like a mask is doubtful."""
    return Unused(
        path,
        "has a name that does not begin with sub-: rename it, if it is needed",
        doubtful=bool(MASK_LIKE.search(stem(path)) and not FACE.search(stem(path))),
    )


def _unrecognized(file, labels):
    if file.derived and not file.looks_like_a_mask:
        return Unused(file.path, "is a derivative, of which only masks and labels are read")
    if file.shows("lesion"):
        return Unused(file.path, f"shows lesions, and the labels are {labels}")
    if file.looks_like_a_mask:
        return Unused(
            file.path,
            "looks like a mask or labels, but its name does not say of what: name it label-lesion_mask or "
            "label-brain_mask, if it is one",
            doubtful=True,
        )
    return Unused(
        file.path, f"has the suffix {file.suffix}, which is none of a scanner's: ask for it as {file.rest}"
    )


def _found_by_skad(file, root):
    """Whether a file holds lesions that ``skad score`` found: not the truth that anything is judged by."""
    if (file.entities.get("desc"), file.suffix) != ("lesions", "mask"):
        return False
    descriptions = [
        folder / "dataset_description.json" for folder in file.path.parents if folder.is_relative_to(root)
    ]
    sidecar = file.path.with_name(f"{stem(file.path)}.json")
    return any("skad" in _generators(path) for path in (sidecar, *descriptions))


def _generators(path):
    """Names of the programs that a JSON file says it is from; none where it cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        made_by = content.get("GeneratedBy", []) if isinstance(content, dict) else []
        return {each.get("Name") for each in made_by if isinstance(each, dict)}
    except (OSError, ValueError, TypeError, RecursionError):
        return set()
