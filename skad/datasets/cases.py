"""What every layout of files comes down to: cases, each the files of one scanning session of one patient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skad.datasets.files import Listing, list_images
from skad.io import VolumeReadError
from skad.utils.names import nearest
from skad.utils.typing import PathLike


class SelectionError(VolumeReadError):
    """What is asked for of a folder, by subject, session or column, selects nothing.

    See Also
    --------
    skad.datasets.take_inventory : Lists the subjects, sessions and contrasts of a folder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.datasets import SelectionError, take_inventory
    >>> anat = Path(tempfile.mkdtemp(), "sub-01", "anat")
    >>> anat.mkdir(parents=True)
    >>> (anat / "sub-01_T1w.nii.gz").touch()
    >>> try:
    ...     take_inventory(anat.parents[1], subjects=["02"])
    ... except SelectionError as error:
    ...     print("02" in str(error))
    True
    """


@dataclass(frozen=True)
class Annotations:
    """Which labels and mask belong to chosen images, and why others do not.

    Attributes
    ----------
    labels, mask : pathlib.Path or None
    unused : tuple of Unused
    notes : tuple of str
        What was guessed.
    """

    labels: Path | None = None
    mask: Path | None = None
    unused: tuple = ()
    notes: tuple = ()


@dataclass(frozen=True)
class Case:
    """Files of one session of one patient.

    Attributes
    ----------
    subject : str
        The patient.
    images : dict of str to pathlib.Path
        By contrast.
    others : dict of str to pathlib.Path
        Images that are read only when asked for by name.
    annotated : Annotations
        Labels and mask.
    info : dict of str to str
        What the folder says of the patient; "session" where there are sessions.
    """

    subject: str
    images: dict
    others: dict = field(default_factory=dict)
    annotated: Annotations = field(default_factory=Annotations)
    info: dict = field(default_factory=dict)

    @property
    def session(self):
        """The session, empty where there is none."""
        return self.info.get("session", "")

    @property
    def name(self):
        """Subject and, where there are sessions, session."""
        return "_".join(filter(None, (self.subject, self.session)))

    @property
    def available(self):
        """Every image by every name it may be asked for."""
        return self.others | self.images

    def annotations(self, images):
        """The annotations that belong to chosen images, a list of paths."""
        return self.annotated

    @property
    def files(self):
        """All files that belong to the case."""
        return {
            *self.available.values(),
            *filter(None, (self.annotated.labels, self.annotated.mask)),
            *(each.path for each in self.annotated.unused),
        }


@dataclass(frozen=True)
class Found:
    """What a layout makes of the files of a folder.

    Attributes
    ----------
    layout : str
        For example "BIDS".
    cases : list of Case
    unused : tuple of Unused
        Files that belong to no case, and why.
    """

    layout: str
    cases: list
    unused: tuple = ()


def find_cases(
    folder: PathLike, find: Callable[[Listing], Found], subjects: Sequence[str] | None = None
) -> tuple[Listing, Found]:
    """What a layout makes of a folder.

    Parameters
    ----------
    folder : path-like
    find : callable of Listing
    subjects : sequence of str, default=None
        Folders of other subjects are entered only where one of these is not found without them, as in a
        layout whose folders have other names.

    Returns
    -------
    listing : Listing
    found : Found
    """
    listing = list_images(folder, subjects=subjects)
    found = find(listing)
    if subjects is not None and not _bare(subjects) <= _bare(case.subject for case in found.cases):
        listing = list_images(folder)
        found = find(listing)
    return listing, found


def _bare(subjects):
    return {name.removeprefix("sub-") for name in subjects}


def chosen(
    cases: list[Case], subjects: Sequence[str] | None = None, sessions: Sequence[str] | None = None
) -> list[Case]:
    """The cases of subjects and sessions, named with or without ``sub-`` and ``ses-``; None takes all.

    Raises
    ------
    SelectionError
        There is no such subject or session, or a subject that is asked for has none of the sessions.
    """
    of_subjects = _named(cases, "subject", subjects)
    left = _named(of_subjects, "session", sessions)
    if subjects is not None:
        lost = sorted({case.subject for case in of_subjects} - {case.subject for case in left})
        if lost:
            named = " or ".join(map(repr, sessions or ()))
            raise SelectionError(f"Subject {lost[0]!r} has no session {named}: check its name.")
    return left


def _named(cases, entity, names):
    """The cases whose subject or session is one of the names."""
    if names is None:
        return cases
    prefix = f"{entity[:3]}-"
    known = {getattr(case, entity) for case in cases} - {""}
    wanted = set()
    for name in names:
        matching = {each for each in known if each.removeprefix(prefix) == name.removeprefix(prefix)}
        if not matching:
            some = f"among {', '.join(sorted(known)[:5])}, ..." if known else "in the names of these scans"
            raise SelectionError(f"There is no {entity} {name!r} {some}: check its name.")
        wanted |= matching
    return [case for case in cases if getattr(case, entity) in wanted]


def cases_where(cases: list[Case], where: Mapping[str, str | Sequence[str]]) -> list[Case]:
    """The cases whose columns of participants.tsv have the values, or one of several.

    Raises
    ------
    SelectionError
        No case has the column, or none the values.
    """
    for column, wanted in where.items():
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        value = wanted[0]
        columns = {name for case in cases for name in case.info}
        if column not in columns:
            raise SelectionError(
                f"where {column}={value}: participants.tsv has no column {column!r}"
                f"{_hint(column, columns, '; check its name.')}"
            )
        values = {str(case.info.get(column)) for case in cases}
        cases = [case for case in cases if str(case.info.get(column)) in wanted]
        if not cases:
            raise SelectionError(
                f"where {column}={value} leaves no subject{_hint(value, values, '; check the value.')}"
            )
    return cases


def common_contrasts(cases: list[Case]) -> tuple[str, ...]:
    """Contrasts that all cases have, in the order of the first.

    Raises
    ------
    VolumeReadError
        There is none.
    """
    common = [name for name in cases[0].images if all(name in case.images for case in cases)]
    if not common:
        raise VolumeReadError(
            f"No contrast is common to all {len(cases)} subjects; {cases[0].name!r} has "
            f"{', '.join(sorted(cases[0].available)) or 'none'}: say which ones you want."
        )
    return tuple(common)


def _hint(name, names, otherwise):
    near = nearest(name, names)
    return f": {near}" if near else otherwise
