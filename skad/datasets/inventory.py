"""What of a folder is used, and what is not, and why."""

import re
import warnings
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

from skad.io import GeometryWarning, Volume, VolumeReadError
from skad.utils.messages import counted
from skad.utils.typing import PathLike

_MOST_KINDS = 3  # of names of label files that the summary tells
_OF_SUBJECT = re.compile(r"sub-[^_]+_(ses-[^_]+_)?|.*_(?=[^_]+$)")  # what another subject calls otherwise

Loaded: TypeAlias = list[Volume] | Any  # volumes; with their errors where on_error="collect"


class CohortWarning(UserWarning):
    """Files that may have been meant to be used are not, or some subjects lack labels.

    See Also
    --------
    skad.datasets.take_inventory : Lists used and unused files with the reasons.

    Examples
    --------
    >>> import warnings
    >>> from skad.datasets import CohortWarning
    >>> warnings.simplefilter("error", CohortWarning)  # as ``skad --strict`` does
    """


@dataclass(frozen=True)
class Inventory:
    """Subjects, sessions, contrasts, masks and labels of a folder, and the image files that are not used.

    Attributes
    ----------
    folder : pathlib.Path
        The folder.
    layout : str
        The recognized layout: "BIDS", "BraTS", "ISLES" or "pattern".
    contrasts : tuple of str
        Those asked for, or else those that all scans have.
    scans : tuple of Scan
        One per session of each subject.
    unused : tuple of Unused
        NIfTI files, and files of other image formats, that no scan uses; folders that are not entered.

    See Also
    --------
    take_inventory : Look through a folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.datasets import take_inventory
    >>> anat = Path(tempfile.mkdtemp(), "sub-01", "anat")
    >>> anat.mkdir(parents=True)
    >>> for name in ("sub-01_T1w.nii.gz", "sub-01_FLAIR.nii.gz", "sub-01_notes.nii.gz"):
    ...     (anat / name).touch()
    >>> inventory = take_inventory(anat.parents[1])
    >>> inventory.layout, sorted(inventory.contrasts), len(inventory.scans)
    ('BIDS', ['FLAIR', 'T1w'], 1)
    """

    folder: Path
    layout: str
    contrasts: tuple
    scans: tuple
    unused: tuple

    @property
    def subjects(self) -> tuple[str, ...]:
        """The patients, each once."""
        return tuple(dict.fromkeys(scan.subject for scan in self.scans))

    @property
    def doubts(self) -> list[str]:
        """What somebody may expect to be used and is not: a sentence for each kind."""
        kinds = defaultdict(list)
        for each in self.unused:
            if each.doubtful:
                kinds[each.reason].append(_relative(self.folder, each.path))
        found = [_sentence(paths, reason) for reason, paths in kinds.items()]
        without = [scan.name for scan in self.scans if scan.labels is None]
        if 0 < len(without) < len(self.scans):
            found.append(
                f"labels: {len(self.scans) - len(without)} of {len(self.scans)} scans have them, "
                f"{_some(without)} not, so that all slices there count as normal"
            )
        return found

    @property
    def notes(self) -> list[str]:
        """What was guessed: a sentence for each."""
        return [note for scan in self.scans for note in scan.notes]

    def starting_with(self, contrast: str) -> Self:
        """The same with another first contrast, whose grid the volumes will have.

        Parameters
        ----------
        contrast : str
            Without effect where the scans do not have it.

        Returns
        -------
        Inventory
        """

        def order(names):
            return sorted(names, key=lambda name: name != contrast)

        scans = (replace(scan, images={n: scan.images[n] for n in order(scan.images)}) for scan in self.scans)
        return replace(self, contrasts=tuple(order(self.contrasts)), scans=tuple(scans))

    def summary(self) -> str:
        """One line: subjects, contrasts, labels, masks, how many files are not used, and names of labels."""
        n_scans, n_subjects = len(self.scans), len(self.subjects)
        labels, masks = (
            sum(getattr(scan, name) is not None for scan in self.scans) for name in ("labels", "mask")
        )
        sessions = f" in {n_scans} sessions" if n_scans != n_subjects else ""
        kinds = sorted({_kind(scan.labels) for scan in self.scans if scan.labels is not None})
        named = f" Labels: {', '.join(kinds)}." if 0 < len(kinds) <= _MOST_KINDS else ""
        return (
            f"{counted(n_subjects, 'subject')}{sessions} with {', '.join(self.contrasts)}; "
            f"labels: {labels} of {n_scans}, masks: {masks} of {n_scans}, "
            f"image files not used: {len(self.unused)}.{named}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The inventory in types that JSON has; paths are relative to the folder."""
        return {
            "folder": str(self.folder),
            "layout": self.layout,
            "contrasts": list(self.contrasts),
            "n_subjects": len(self.subjects),
            "n_scans": len(self.scans),
            "n_labels": sum(scan.labels is not None for scan in self.scans),
            "n_masks": sum(scan.mask is not None for scan in self.scans),
            "scans": [
                {
                    "subject": scan.subject,
                    "session": scan.session or None,
                    "contrasts": {name: self._path(path) for name, path in scan.images.items()},
                    "runs": scan.runs,
                    "labels": self._path(scan.labels),
                    "mask": self._path(scan.mask),
                    "notes": list(scan.notes),
                }
                for scan in self.scans
            ],
            "unused": [
                {"path": self._path(each.path), "reason": each.reason, "doubtful": each.doubtful}
                for each in self.unused
            ],
            "doubts": self.doubts,
        }

    def open(self, *, missing: str = "raise", on_error: str = "raise") -> Loaded:
        """The volumes of all scans.

        Parameters
        ----------
        missing : {"raise", "nan"}, default="raise"
            What a contrast becomes that a subject does not have: an error or NaN everywhere.
        on_error : {"raise", "collect"}, default="raise"
            Whether the first bad scan stops the rest.

        Returns
        -------
        volumes : list of Volume
        errors : dict of str to VolumeReadError
            By subject and session; only with ``on_error="collect"``.

        Raises
        ------
        VolumeReadError
            The first bad scan, with ``on_error="raise"``.

        Warns
        -----
        CohortWarning
            There are `doubts` or `notes`.
        """
        _check_choice("missing", missing, ("raise", "nan"))
        _check_choice("on_error", on_error, ("raise", "collect"))
        if doubts := [*self.doubts, *self.notes]:
            warnings.warn(f"{self.folder}: {'; '.join(doubts)}.", CohortWarning, stacklevel=2)
        volumes, errors = [], {}
        for scan in self.scans:
            try:
                volumes.append(scan.open(missing=missing))
            except VolumeReadError as error:
                if on_error == "raise":
                    raise
                errors[scan.name] = error
        return volumes if on_error == "raise" else (volumes, errors)

    def geometry(self) -> tuple[dict[str, dict[str, Any]], dict[str, VolumeReadError]]:
        """Grid of every scan, from the headers of its images; voxels are not read.

        Returns
        -------
        geometry : dict of str to dict
            By subject and session: ``shape``, ``voxel_size`` in mm, and ``notes`` on what is odd.
        errors : dict of str to VolumeReadError
            Of the scans that cannot be opened.
        """
        geometry: dict[str, dict[str, Any]] = {}
        errors = {}
        for scan in self.scans:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", GeometryWarning)  # they come as notes
                    volume = scan.open(missing="nan")
            except VolumeReadError as error:
                errors[scan.name] = error
            else:
                geometry[scan.name] = {
                    "shape": volume.shape,
                    "voxel_size": [round(length, 4) for length in volume.voxel_size],
                    "notes": volume.info.get("notes", []),
                }
        return geometry, errors

    def _path(self, path):
        return None if path is None else _relative(self.folder, path)


def _relative(folder: Path, path: PathLike) -> str:
    path = Path(path)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _kind(path):
    """The name of a label file, with a * for its subject."""
    return _OF_SUBJECT.sub("*_", Path(path).name, count=1)


def _sentence(paths, reason):
    if len(paths) == 1:
        return f"{paths[0]} {reason}"
    return f"{_some(paths)}: each {reason}"


def _some(names):
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} should be one of {', '.join(choices)}, got {value!r}.")
