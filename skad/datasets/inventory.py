"""What of a folder is used, and what is not, and why."""

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

from skad.datasets.cases import Found, cases_where, chosen, common_contrasts
from skad.datasets.files import Listing, Unused
from skad.io import GeometryWarning, Volume, VolumeReadError, read_volume
from skad.utils.names import nearest
from skad.utils.typing import PathLike

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
class Scan:
    """The files used for one session of one subject.

    Attributes
    ----------
    subject, session : str
        The session is empty where there is none.
    images : dict of str to pathlib.Path or None
        The file of each contrast; None if the subject lacks it.
    labels, mask : pathlib.Path or None
        The files of the lesion labels and of the brain mask, if there are any.
    runs : dict of str to str
        The run of each contrast whose name has one.
    notes : tuple of str
        Assumptions that were made, a sentence each.
    info : dict of str to str
        Further columns, such as those of participants.tsv.
    available : tuple of str
        Names of all images that ``contrasts`` may select.

    See Also
    --------
    skad.datasets.Inventory : All scans of a folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.datasets import take_inventory
    >>> anat = Path(tempfile.mkdtemp(), "sub-01", "anat")
    >>> anat.mkdir(parents=True)
    >>> for name in ("sub-01_T1w.nii.gz", "sub-01_FLAIR.nii.gz", "sub-01_notes.nii.gz"):
    ...     (anat / name).touch()
    >>> scan, = take_inventory(anat.parents[1]).scans
    >>> scan.subject, scan.images["FLAIR"].name, scan.labels
    ('sub-01', 'sub-01_FLAIR.nii.gz', None)
    """

    subject: str
    session: str
    images: dict
    labels: Path | None
    mask: Path | None
    runs: dict
    notes: tuple
    info: dict
    available: tuple

    @property
    def name(self) -> str:
        """Subject and, where there are sessions, session."""
        return "_".join(filter(None, (self.subject, self.session)))

    def open(self, *, missing: str = "raise") -> Volume:
        """The volume; headers are checked now, voxels are read when they are accessed.

        Parameters
        ----------
        missing : {"raise", "nan"}, default="raise"
            What a contrast becomes that the subject does not have: an error or NaN everywhere.

        Returns
        -------
        Volume

        Raises
        ------
        VolumeReadError
            Names the subject and the contrast that it lacks, or the file that cannot be read.
        """
        absent = [name for name, path in self.images.items() if path is None]
        if absent and missing == "raise":
            raise VolumeReadError(
                f"Subject {self.name!r} has no contrast {absent[0]!r} (it has {', '.join(self.available)}): "
                + (
                    nearest(absent[0], self.available, cutoff=0.8)
                    or "add the image, or choose other contrasts."
                )
            )
        return read_volume(
            self.images, subject=self.subject, labels=self.labels, mask=self.mask, info=self.info
        )


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
        """One line: subjects, contrasts, labels, masks, and how many files are not used."""
        n_scans, n_subjects = len(self.scans), len(self.subjects)
        labels, masks = (
            sum(getattr(scan, name) is not None for scan in self.scans) for name in ("labels", "mask")
        )
        sessions = f" in {n_scans} sessions" if n_scans != n_subjects else ""
        return (
            f"{n_subjects} subject{'s' * (n_subjects != 1)}{sessions} with {', '.join(self.contrasts)}; "
            f"labels: {labels} of {n_scans}, masks: {masks} of {n_scans}, "
            f"image files not used: {len(self.unused)}."
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


def survey(
    listing: Listing,
    found: Found,
    *,
    contrasts: Sequence[str] | None = None,
    subjects: Sequence[str] | None = None,
    sessions: Sequence[str] | None = None,
    where: Mapping[str, str | Sequence[str]] | None = None,
) -> Inventory:
    """Decide which of the files that a layout found are used.

    Parameters
    ----------
    listing : Listing
    found : Found
        With at least one case.
    contrasts : sequence of str, default=None
        None takes those that all chosen cases have.
    subjects, sessions : sequence of str, default=None
        With or without ``sub-`` and ``ses-``; None takes all.
    where : dict of str to str, default=None
        Columns of participants.tsv and the value, or any of the values, that they should have.

    Returns
    -------
    Inventory
        Files of cases that are not chosen are not in it.
    """
    cases = cases_where(chosen(found.cases, subjects, sessions), where or {})
    names = common_contrasts(cases) if contrasts is None else tuple(contrasts)
    scans, unused = [], {each.path: each for each in found.unused}
    for case in cases:
        scan, left_out = _scan(case, names)
        scans.append(scan)
        unused |= {each.path: each for each in left_out}
    used = {path for scan in scans for path in (*scan.images.values(), scan.labels, scan.mask)}
    used_cases = {id(case) for case in cases}
    passed_over = {path for case in found.cases if id(case) not in used_cases for path in case.files}
    rest = [
        unused.get(path, Unused(path, "belongs to no scan"))
        for path in listing.images
        if path not in used and (path not in passed_over or path in unused)
    ]
    everything = sorted([*rest, *listing.unused], key=lambda each: each.path)
    return Inventory(listing.folder, found.layout, names, tuple(scans), tuple(everything))


def _scan(case, contrasts):
    """What is used of a case, and why the rest of its images is not."""
    images = {name: case.available.get(name) for name in contrasts}
    chosen = [path for path in images.values() if path is not None]
    annotations = case.annotations(chosen)
    left_out = [
        Unused(path, f"shows {name}, which is not among the contrasts {', '.join(contrasts)}")
        for name, path in case.images.items()
        if path not in chosen
    ]
    runs = {
        name: part.removeprefix("run-")
        for name, path in images.items()
        if path is not None
        for part in path.name.split("_")
        if part.startswith("run-")
    }
    scan = Scan(
        case.subject,
        case.session,
        images,
        annotations.labels,
        annotations.mask,
        runs,
        annotations.notes,
        case.info,
        tuple(sorted(case.available)),
    )
    return scan, [*left_out, *annotations.unused]


def _relative(folder: Path, path: PathLike) -> str:
    path = Path(path)
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _sentence(paths, reason):
    if len(paths) == 1:
        return f"{paths[0]} {reason}"
    return f"{_some(paths)}: each {reason}"


def _some(names):
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:2])} and {len(names) - 2} more"


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} should be one of {', '.join(choices)}, got {value!r}.")
