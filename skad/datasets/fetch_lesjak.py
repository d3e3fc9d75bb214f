"""Patients with multiple sclerosis from a Git repository, each file checked against Git's hash of it."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

from skad.datasets.fetch import cache, download
from skad.utils.typing import PathLike

REPOSITORY = "muschellij2/open_ms_data"
FILES = f"https://raw.githubusercontent.com/{REPOSITORY}"
TREES = f"https://api.github.com/repos/{REPOSITORY}/git/trees"
NAMES = {
    "FLAIR": "FLAIR",
    "T1W": "T1w",
    "T1WKS": "ce-gadolinium_T1w",
    "T2W": "T2w",
    "consensus_gt": "label-lesion_mask",
    "brainmask": "label-brain_mask",
}
_PATH = re.compile(r"cross_sectional/coregistered/patient(\d+)/(\w+)\.nii\.gz")


def fetch_open_ms(
    folder: PathLike | None = None,
    *,
    subjects: Sequence[str] | None = None,
    contrasts: Sequence[str] = ("FLAIR", "T1w", "T2w", "ce-gadolinium_T1w"),
    revision: str = "master",
    url: str = FILES,
    trees: str = TREES,
) -> Path:
    """Download patients with multiple sclerosis whose lesions three experts drew (Lesjak et al. 2017).

    Contrasts co-registered with FLAIR and bias-corrected, the consensus of the experts, and a brain mask.
    License: CC BY; cite the reference below.

    Parameters
    ----------
    folder : path-like, default=None
        Where the BIDS folder goes; None is a cache in the user's home, or ``$SKAD_CACHE``.
    subjects : sequence of str, default=None
        Such as ``"01"``, with or without ``sub-``; None takes all.
    contrasts : sequence of str, default=("FLAIR", "T1w", "T2w", "ce-gadolinium_T1w")
        The images; lesions and brain masks always come along.
    revision : str, default="master"
        The commit, tag or branch of the repository. The name of a commit pins every byte of the data.
    url : str
        The server of the files; another one serves a mirror.
    trees : str
        The server that lists a revision, as GitHub's interface for Git trees does.

    Returns
    -------
    pathlib.Path
        For :func:`load_bids`.

    Raises
    ------
    ImportError
        pooch is not installed.
    ValueError
        A contrast that the data set does not have, a subject that the revision does not hold, or a file that
        differs from its hash in the listing.

    Notes
    -----
    The listing of a revision states Git's SHA-1 and the size of every file. Those hashes follow from the
    name of a commit; with a branch they protect against damage in transit only. Files already there are
    checked, not downloaded again.

    References
    ----------
    Lesjak et al. (2017). A novel public MR image dataset of multiple sclerosis patients with lesion
    segmentations based on multi-rater consensus. Neuroinformatics.

    See Also
    --------
    fetch_stroke : Patients with acute stroke.
    fetch_ixi : Healthy controls.

    Examples
    --------
    >>> from skad.datasets import fetch_open_ms, load_bids
    >>> volumes = load_bids(fetch_open_ms(subjects=["01"]))  # doctest: +SKIP
    """
    unknown = [name for name in contrasts if name not in NAMES.values()]
    if unknown:
        images = [name for name in NAMES.values() if not name.startswith("label")]
        raise ValueError(f"contrasts should be among {', '.join(images)}, got {unknown[0]!r}.")
    root = cache(folder) / "open_ms"
    names = None if subjects is None else [f"sub-{each.removeprefix('sub-')}" for each in subjects]
    wanted = list(_wanted(f"{trees}/{revision}?recursive=1", names, contrasts))
    missing = set(names or ()) - {subject for subject, *_ in wanted}
    if missing or not wanted:
        raise ValueError(
            f"{REPOSITORY} at {revision} does not hold {', '.join(sorted(missing)) or 'images'}."
        )
    for subject, name, path, sha in wanted:
        target = root / subject / "anat" / f"{subject}_{name}.nii.gz"
        _download(f"{url}/{revision}/{path}", target, sha)
    return root


def _wanted(listing, subjects, contrasts):
    """Subject, BIDS name, path and hash of each file that is asked for."""
    with urlopen(listing) as answer:
        tree = json.load(answer)
    if tree["truncated"]:
        raise ValueError(f"{listing} lists some of the files only.")
    for entry in tree["tree"]:
        match = _PATH.fullmatch(entry["path"])
        if match is None or match[2] not in NAMES:
            continue
        subject, name = f"sub-{match[1]}", NAMES[match[2]]
        if (subjects is None or subject in subjects) and (name.startswith("label") or name in contrasts):
            yield subject, name, entry["path"], entry["sha"]


def _download(url, path, sha):
    if path.exists() and _blob_sha(path) == sha:
        return
    path.unlink(missing_ok=True)
    download(url, path, None)
    if _blob_sha(path) != sha:
        path.unlink()
        raise ValueError(f"{url} differs from its hash {sha}: it was damaged in transit, or changed.")


def _blob_sha(path):
    """The SHA-1 by which Git knows the content of a file."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
