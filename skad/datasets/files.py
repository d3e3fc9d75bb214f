"""The image files of a folder: those that can be opened, and those that are not even tried."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from skad.io import VolumeReadError

NIFTI = (".nii", ".nii.gz")
# Formats that skad does not read; files of these are listed, so that nobody wonders where they went.
OTHER_FORMATS = (".hdr", ".img", ".img.gz", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".mnc", ".dcm")


@dataclass(frozen=True)
class Unused:
    """An image file that is not used, with the reason.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    reason : str
        Why it is not used; continues a sentence that begins with the file's name.
    doubtful : bool
        Whether the file may have been meant to be used.

    See Also
    --------
    skad.datasets.Inventory : All unused files of a folder.

    Examples
    --------
    >>> from pathlib import Path
    >>> from skad.datasets import Unused
    >>> Unused(Path("sub-01/anat/sub-01_notes.nii.gz"), "has an unknown suffix").doubtful
    False
    """

    path: Path
    reason: str
    doubtful: bool = False


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    folder : pathlib.Path
    images : tuple of pathlib.Path
        NIfTI files that exist, sorted.
    unused : tuple of Unused
        Links to nothing, hidden files, other formats, folders that are not entered.
    """

    folder: Path
    images: tuple
    unused: tuple

    def relative(self, path):
        """A path inside the folder as text, with slashes."""
        return path.relative_to(self.folder).as_posix()


def list_images(folder, *, subjects=None):
    """Look for image files at any depth.

    Hidden folders are passed over. Links to folders are entered, unless they lead to a folder that is read
    anyway.

    Parameters
    ----------
    folder : path-like
    subjects : sequence of str, default=None
        Folders ``sub-*`` of other subjects are not entered: in a large cohort a walk takes minutes. None
        enters all.

    Returns
    -------
    Listing

    Raises
    ------
    VolumeReadError
        It is no folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise VolumeReadError(f"{folder} is not a folder: give the one that holds the subjects.")
    walk = _Walk(folder, subjects)
    walk.into(folder)
    return Listing(folder, tuple(sorted(walk.images)), tuple(sorted(walk.unused, key=lambda each: each.path)))


def stem(path):
    """A file's name without .nii or .nii.gz, in any case of letters."""
    return re.sub(r"\.nii(\.gz)?$", "", path.name, flags=re.IGNORECASE)


class _Walk:
    """The image files of a folder and of the folders in it."""

    def __init__(self, folder, subjects):
        self.root = os.path.realpath(folder)
        self.visited = {self.root}
        self.wanted = None if subjects is None else {f"sub-{name.removeprefix('sub-')}" for name in subjects}
        self.images, self.unused = [], []

    def into(self, folder):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"is a folder that cannot be read ({error.strerror})"
            self.unused.append(Unused(folder, reason, doubtful=True))
            return
        for entry in sorted(entries, key=lambda entry: entry.is_symlink()):  # what is a copy comes second
            path = folder / entry.name
            if _is_folder(entry):
                if not entry.name.startswith(".") and self._is_wanted(entry.name):
                    self._enter(path, entry.is_symlink())
            elif entry.name.lower().endswith(NIFTI):
                reason, doubtful = _unreadable(entry)
                if reason:
                    self.unused.append(Unused(path, reason, doubtful))
                else:
                    self.images.append(path)
            elif entry.name.lower().endswith(OTHER_FORMATS):
                reason = "is not in NIfTI format: convert it, for example with dcm2niix"
                self.unused.append(Unused(path, reason))

    def _is_wanted(self, name):
        return self.wanted is None or not name.startswith("sub-") or name in self.wanted

    def _enter(self, path, is_link):
        if is_link:
            target = os.path.realpath(path)
            if target in self.visited or f"{self.root}{os.sep}".startswith(
                f"{target.rstrip(os.sep)}{os.sep}"
            ):
                reason = f"is a link to {target}, a folder that is read already, and is not entered"
                self.unused.append(Unused(path, reason, doubtful=True))
                return
            if target.startswith(f"{self.root}{os.sep}"):
                reason = f"is a link to {target}, a folder inside this one, and is not entered"
                self.unused.append(Unused(path, reason, doubtful=True))
                return
            self.visited.add(target)
        self.into(path)


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _unreadable(entry):
    """Why a NIfTI file cannot be opened, and whether somebody may wonder; an empty reason where it can."""
    if entry.name.startswith("."):
        return "is hidden", False
    try:
        if entry.is_file():
            return "", False
    except OSError:
        return "is a link that leads to itself", True
    if entry.is_symlink():
        return "is a link to nothing: fetch its content, for example with `datalad get`", True
    return "is not a file", True
