"""What every layout of files comes down to: cases, each the files of one scanning session of one patient."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from skad.io import Volume, VolumeReadError, read_volume
from skad.utils.names import nearest

Loaded: TypeAlias = list[Volume] | Any  # volumes; with their errors where on_error="collect"


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
    labels, mask : pathlib.Path or None
    info : dict of str to str
        What the folder says of the patient; "session" where there are sessions.
    """

    subject: str
    images: dict
    others: dict = field(default_factory=dict)
    labels: Path | None = None
    mask: Path | None = None
    info: dict = field(default_factory=dict)

    @property
    def name(self):
        """Subject and, where there are sessions, session."""
        return "_".join(filter(None, (self.subject, self.info.get("session"))))


def read_cases(cases, *, contrasts=None, subjects=None, missing="raise", on_error="raise"):
    """Open the volumes of cases.

    Parameters
    ----------
    cases : list of Case
        At least one.
    contrasts : sequence of str, default=None
        None takes those that all chosen cases have.
    subjects : sequence of str, default=None
        With or without ``sub-``; None takes all.
    missing : {"raise", "nan"}, default="raise"
        What a contrast becomes that a subject does not have: an error or NaN everywhere.
    on_error : {"raise", "collect"}, default="raise"
        Whether the first bad case stops the rest.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to VolumeReadError
        By case; only with ``on_error="collect"``.

    Raises
    ------
    VolumeReadError
        An unknown subject, no common contrast; with ``on_error="raise"`` also the first bad case.
    """
    _check_choice("missing", missing, ("raise", "nan"))
    _check_choice("on_error", on_error, ("raise", "collect"))
    cases = _chosen(cases, subjects)
    contrasts = _common(cases) if contrasts is None else tuple(contrasts)
    volumes, errors = [], {}
    for case in cases:
        try:
            volumes.append(_read(case, contrasts, missing))
        except VolumeReadError as error:
            if on_error == "raise":
                raise
            errors[case.name] = error
    return volumes if on_error == "raise" else (volumes, errors)


def existing_folder(path):
    """The path of a folder that exists."""
    path = Path(path)
    if not path.is_dir():
        raise VolumeReadError(f"{path} is not a folder: give the one that holds the subjects.")
    return path


def nifti_files(folder, pattern="**/*"):
    """NIfTI files under a folder, sorted, without hidden ones."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.name.endswith((".nii", ".nii.gz")) and not path.name.startswith(".") and path.is_file()
    )


def stem(path):
    """A file's name without .nii or .nii.gz."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def _read(case, contrasts, missing):
    available = case.others | case.images
    absent = [name for name in contrasts if name not in available]
    if absent and missing == "raise":
        raise VolumeReadError(
            f"Subject {case.name!r} has no contrast {absent[0]!r} (it has {', '.join(sorted(available))}): "
            + (nearest(absent[0], available, cutoff=0.8) or "add the image, or choose other contrasts.")
        )
    return read_volume(
        {name: available.get(name) for name in contrasts},
        subject=case.subject,
        labels=case.labels,
        mask=case.mask,
        info=case.info,
    )


def _chosen(cases, subjects):
    if subjects is None:
        return cases
    known = {case.subject.removeprefix("sub-"): case.subject for case in cases}
    known |= {case.subject: case.subject for case in cases}
    for subject in subjects:
        if subject not in known:
            some = ", ".join(sorted({case.subject for case in cases})[:5])
            raise VolumeReadError(f"There is no subject {subject!r} among {some}, ...: check its name.")
    wanted = {known[subject] for subject in subjects}
    return [case for case in cases if case.subject in wanted]


def _common(cases):
    common = [name for name in cases[0].images if all(name in case.images for case in cases)]
    if not common:
        raise VolumeReadError(
            f"No contrast is common to all {len(cases)} subjects; {cases[0].name!r} has "
            f"{', '.join(sorted(cases[0].others | cases[0].images))}: say which ones you want."
        )
    return tuple(common)


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} should be one of {', '.join(choices)}, got {value!r}.")
