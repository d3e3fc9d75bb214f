"""The files that are used of every scan, and why the others are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from skad.datasets.cases import Found, cases_where, chosen, common_contrasts
from skad.datasets.files import Listing, Unused
from skad.datasets.inventory import Inventory
from skad.io import Volume, VolumeReadError, read_volume
from skad.utils.names import nearest


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
