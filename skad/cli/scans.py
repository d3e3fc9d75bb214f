"""The scans that a command scores: a folder, one subject's folder, or the files of one patient."""

import contextlib
import tempfile

from skad.cli.cohort import load_cohort
from skad.io import read_volume
from skad.utils.files import written_whole
from skad.utils.names import check_name

ENDINGS = (".nii", ".nii.gz")


def scans_of(command, folder, image, *, mask=None, labels=None, contrasts=None, where=(), known=None):
    """The volumes, and the errors of those that cannot be opened.

    Parameters
    ----------
    command : str
    folder : path-like or None
    image : sequence of str
        ``"NAME=FILE"`` of the contrasts of one patient, in place of a folder.
    mask, labels : path-like, default=None
        Files that belong to `image`.
    contrasts : sequence of str, default=None
        Names that are read; of those without a file all voxels are missing. None takes what there is.
    where : sequence of str
        ``"column=value"``.
    known : sequence of str, default=None
        Names that `image` may have; None allows any.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to ValueError

    Raises
    ------
    ValueError
        There is neither a folder nor an image, or both; a name is not known; a file cannot be read.
    """
    if (folder is None) == (not image):
        raise ValueError(f"{command} needs either a folder of scans or --image NAME=FILE, not both.")
    if folder is not None:
        return load_cohort(folder, contrasts=contrasts, where=where)
    files = dict(map(_named_file, image))
    for name in files:
        check_name(name, files if known is None else known, "contrast of the detector")
    paths = files if known is None else {name: files.get(name) for name in known}
    return [read_volume(paths, mask=mask, labels=labels)], {}


def is_file(out):
    """Whether the output is the file of one map, and not a folder."""
    return out.name.endswith(ENDINGS)


@contextlib.contextmanager
def place_for(out, volumes):
    """The folder that maps go to: `out`, or a temporary one where `out` is the file of one map.

    Raises
    ------
    ValueError
        `out` is one file, and there are several volumes.
    """
    if not is_file(out):
        yield out
        return
    if len(volumes) != 1:
        raise ValueError(
            f"--out {out} is one file, but there are {len(volumes)} subjects: name a folder instead."
        )
    with tempfile.TemporaryDirectory() as folder:
        yield folder


def beside(out, ending):
    """The path of a map with another ending.

    Examples
    --------
    >>> from pathlib import Path
    >>> beside(Path("a/map.nii.gz"), ".html").as_posix()
    'a/map.html'
    """
    return out.with_name(out.name.removesuffix(".gz").removesuffix(".nii") + ending)


def copy_whole(source, path):
    """Copy a file, complete or not at all."""
    with written_whole(path) as temporary:
        temporary.write_bytes(source.read_bytes())


def _named_file(text):
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise ValueError(f"--image {text} should look like NAME=FILE, for example FLAIR=flair.nii.gz.")
    return name, path
