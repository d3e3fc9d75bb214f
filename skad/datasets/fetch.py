"""Public cohorts by name: downloaded once, checked, and laid out as `load_bids` reads them."""

import tarfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from skad.utils.optional import import_extra
from skad.utils.typing import PathLike

OPENNEURO = "https://s3.amazonaws.com/openneuro.org"
STROKE = "ds004889"
IXI = "http://biomedic.doc.ic.ac.uk/brain-development/downloads/IXI"
# MD5 of the archives, as torchio (Perez-Garcia et al. 2021) states them
IXI_ARCHIVES = {
    "T1w": ("IXI-T1.tar", "34901a0593b41dd19c1a1f746eac2d58"),
    "T2w": ("IXI-T2.tar", "e3140d78730ecdd32ba92da48c0a9aaa"),
    "PDw": ("IXI-PD.tar", "88ecd9d1fa33cb4a2278183b42ffd749"),
}
_S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def fetch_stroke(
    folder: PathLike | None = None,
    *,
    subjects: Sequence[str] | None = None,
    suffixes: Sequence[str] = ("FLAIR", "T1w"),
    url: str = OPENNEURO,
) -> Path:
    """Download the Stroke Outcome Optimization Project (OpenNeuro ds004889).

    Acute strokes in clinical scans, with lesions drawn on diffusion-weighted images. License: CC0.

    Parameters
    ----------
    folder : path-like, default=None
        Where the BIDS folder goes; None is a cache in the user's home, or ``$SKAD_CACHE``.
    subjects : sequence of str, default=None
        With or without ``sub-``; None takes all.
    suffixes : sequence of str, default=("FLAIR", "T1w")
        Of the images in ``anat/``. Labels, tables and descriptions always come along.
    url : str
        The server that holds the data set; another one serves a mirror.

    Returns
    -------
    pathlib.Path
        For :func:`load_bids`.

    Raises
    ------
    ImportError
        pooch is not installed.
    ValueError
        The server lists no file of the data set, or a file differs from the checksum in its listing.

    Notes
    -----
    Files already there are checked, not downloaded again. Checksums are those of the server's listing,
    which protect against damage in transit, not against a changed data set.

    References
    ----------
    Absher et al. (2024). The Stroke Outcome Optimization Project: acute ischemic strokes from a
    comprehensive stroke center. Scientific Data 11.

    See Also
    --------
    fetch_ixi : Healthy controls.
    fetch_open_ms : Patients with multiple sclerosis.

    Examples
    --------
    >>> from skad.datasets import fetch_stroke, load_bids
    >>> volumes = load_bids(fetch_stroke(subjects=["1"]))  # doctest: +SKIP
    """
    root = cache(folder) / STROKE
    wanted = None if subjects is None else {f"sub-{each.removeprefix('sub-')}" for each in subjects}
    listed = [each for each in _listing(url, f"{STROKE}/") if _is_wanted(each[0], wanted, suffixes)]
    if not listed:
        raise ValueError(f"{url} lists no file of {STROKE} for these subjects: check names and connection.")
    for key, checksum in listed:
        download(f"{url}/{quote(key)}", root / key.removeprefix(f"{STROKE}/"), checksum)
    return root


def fetch_ixi(
    folder: PathLike | None = None, *, contrasts: Sequence[str] = ("T1w", "T2w"), url: str = IXI
) -> Path:
    """Download IXI: about 600 healthy subjects from three hospitals in London, skull on.

    License: CC BY-SA 3.0. Several gigabytes per contrast.

    Parameters
    ----------
    folder : path-like, default=None
        Where the BIDS folder goes; None is a cache in the user's home, or ``$SKAD_CACHE``.
    contrasts : sequence of {"T1w", "T2w", "PDw"}, default=("T1w", "T2w")
        One archive each.
    url : str
        The folder of the archives; another one serves a mirror.

    Returns
    -------
    pathlib.Path
        For :func:`load_bids`; the contrasts lie on grids of their own (see :func:`skad.preparation`).

    Raises
    ------
    ImportError
        pooch is not installed.
    ValueError
        An unknown contrast, or an archive that differs from its checksum.

    References
    ----------
    IXI: Information eXtraction from Images (EPSRC GR/S21533/02), https://brain-development.org/ixi-dataset.

    See Also
    --------
    fetch_stroke : Patients with acute stroke.

    Examples
    --------
    >>> from skad.datasets import fetch_ixi, load_bids
    >>> volumes = load_bids(fetch_ixi(contrasts=["T2w"]))  # doctest: +SKIP
    """
    unknown = [name for name in contrasts if name not in IXI_ARCHIVES]
    if unknown:
        raise ValueError(f"contrasts should be among {', '.join(IXI_ARCHIVES)}, got {unknown[0]!r}.")
    root = cache(folder) / "ixi"
    for contrast in contrasts:
        name, checksum = IXI_ARCHIVES[contrast]
        archive = download(f"{url}/{name}", root / "sourcedata" / name, f"md5:{checksum}")
        _unpack(archive, root, contrast)
    return root


def _is_wanted(key, subjects, suffixes):
    name = key.rpartition("/")[2]
    subject = next((part for part in key.split("/") if part.startswith("sub-")), None)
    if subject is None:
        return "/" not in key.partition("/")[2]  # tables and descriptions at the top
    if subjects is not None and subject not in subjects:
        return False
    suffix = name.partition(".")[0].rpartition("_")[2]
    return suffix in (*suffixes, "mask", "dseg") and name.endswith((".nii.gz", ".json"))


def _listing(url, prefix):
    """Key and checksum of every object below a prefix, page by page."""
    token = None
    while True:
        query = {"list-type": "2", "prefix": prefix} | ({"continuation-token": token} if token else {})
        with urlopen(f"{url}/?{urlencode(query)}") as answer:
            page = ElementTree.fromstring(answer.read())
        for item in page.iter(f"{_S3}Contents"):
            tag = item.findtext(f"{_S3}ETag", "").strip('"')
            yield item.findtext(f"{_S3}Key"), f"md5:{tag}" if "-" not in tag else None  # parts have no MD5
        token = page.findtext(f"{_S3}NextContinuationToken")
        if not token:
            return


def download(url, path, checksum):
    """Download a file, unless it is there; None checks nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fetched = _pooch().retrieve(url, known_hash=checksum, fname=path.name, path=path.parent, progressbar=True)
    return Path(fetched)


def _unpack(archive, folder, contrast):
    """``IXI002-Guys-0828-T1.nii.gz`` becomes ``sub-IXI002/anat/sub-IXI002_T1w.nii.gz``."""
    with tarfile.open(archive) as content:
        for member in content:
            name = Path(member.name).name
            if member.isfile() and name.endswith(".nii.gz"):
                subject = f"sub-{name.partition('-')[0]}"
                path = folder / subject / "anat" / f"{subject}_{contrast}.nii.gz"
                if not path.exists() or path.stat().st_size != member.size:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.extractfile(member).read())


def cache(folder):
    """Where data sets go."""
    pooch = _pooch()
    return Path(folder) if folder is not None else Path(pooch.utils.cache_location("skad", env="SKAD_CACHE"))


def _pooch():
    return import_extra(
        "pooch",
        "Downloads need pooch, which is missing: pip install 'skad[data]' (in a clone: "
        "pip install -e '.[data]').",
    )
