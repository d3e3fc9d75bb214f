"""The folders that commands load: what is used of them is told first."""

import contextlib
import warnings
from pathlib import Path

from skad.cli.feedback import shout
from skad.cli.json_output import record, record_under
from skad.cli.output import complain, tell
from skad.cli.strict import is_strict
from skad.datasets import take_inventory
from skad.io import GeometryWarning, OtherGridWarning
from skad.utils.messages import one_line

SHOWN = 3  # subjects whose geometry is told one by one


def load_cohort(folder, *, contrasts=None, where=(), missing=None, coregister_to=None):
    """The subjects of a folder; those that cannot be opened come as errors.

    Tells in a line what is used, and warns of what somebody may expect to be used and is not.

    Parameters
    ----------
    folder : path-like
    contrasts : sequence of str, default=None
        None takes those that all subjects have.
    where : sequence of str, or dict of str to list of str
        ``"column=value"`` of participants.tsv, all of which should hold, or columns with their values;
        ``participant_id`` and ``session`` need no table.
    missing : {"raise", "nan"}, default=None
        What a contrast becomes that a subject does not have; None is "nan" where contrasts are given.
    coregister_to : str, default=None
        The contrast that the command moves all others onto, which then gives the grid; "" is the first one.
        Contrasts on other grids are no doubt then.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to ValueError

    Raises
    ------
    ValueError
        The folder, a condition; with ``--strict`` also what is not used.
    """
    folder, subjects = dataset_of(folder)
    inventory = take_inventory(folder, contrasts=contrasts, **selection_of(where, subjects))
    inventory = inventory.starting_with(coregister_to) if coregister_to else inventory
    check_strict(inventory)
    tell(inventory.summary())
    record(inventory=inventory.to_dict())
    if missing is None:
        missing = "raise" if contrasts is None else "nan"
    with _doubts_told():
        if coregister_to is not None:
            warnings.simplefilter("ignore", OtherGridWarning)
        return inventory.open(missing=missing, on_error="collect")


def load_for_training(command, folder, *, contrasts=None, where=()):
    """The subjects that a command learns from; those that cannot be opened are told and left out.

    Returns
    -------
    volumes : list of Volume
        At least one.
    n_failed : int

    Raises
    ------
    ValueError
        As `load_cohort`, or no subject can be opened: the first one's error.
    """
    volumes, errors = load_cohort(folder, contrasts=contrasts, where=where, missing="raise")
    if not volumes:
        raise next(iter(errors.values()))
    complain(command, errors)
    return volumes, len(errors)


def check_strict(inventory):
    """Raise where ``--strict`` is given and an inventory has doubts."""
    if is_strict() and inventory.doubts:
        raise ValueError(f"--strict: {inventory.folder}: {'; '.join(inventory.doubts)}.")


def conditions(where):
    """``["column=value", "column=value,other"]`` as a dict of the values that will do.

    Examples
    --------
    >>> conditions(["fold=train", "site=A,B", "site=C"])
    {'fold': ['train'], 'site': ['A,B', 'A', 'B', 'C']}
    """
    parted = [condition.partition("=") for condition in where]
    for condition, (_, equals, _) in zip(where, parted, strict=True):
        if not equals:
            raise ValueError(f"--where {condition} should look like column=value.")
    values = {}
    for column, _, value in parted:
        values.setdefault(column, []).extend([value, *value.split(",")] if "," in value else [value])
    return values


def selection_of(where, subjects=None):
    """What `take_inventory` selects by: subjects and sessions by their names, all else by participants.tsv.

    Examples
    --------
    >>> selection_of(["participant_id=01,02", "fold=train"])
    {'subjects': ['01', '02'], 'sessions': None, 'where': {'fold': ['train']}}
    """
    wanted = dict(where if isinstance(where, dict) else conditions(where))
    named = {
        key: [name for name in wanted.pop(column) if "," not in name] if column in wanted else default
        for key, column, default in (("subjects", "participant_id", subjects), ("sessions", "session", None))
    }
    return {**named, "where": wanted}


def dataset_of(folder):
    """The folder of all subjects, and the one that is asked for where `folder` is that of a subject."""
    folder = Path(folder)
    is_subject = folder.name.startswith("sub-") and any(
        each.is_dir() and (each.name == "anat" or each.name.startswith("ses-")) for each in _inside(folder)
    )
    return (folder.absolute().parent, [folder.name]) if is_subject else (folder, None)


def _inside(folder):
    return folder.iterdir() if folder.is_dir() else ()


@contextlib.contextmanager
def _doubts_told():
    """Print what is in doubt, whatever filters of warnings are set; geometry of many scans in one line."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield
    geometry = [str(each.message) for each in told if issubclass(each.category, GeometryWarning)]
    others = [str(each.message) for each in told if not issubclass(each.category, GeometryWarning)]
    if len(geometry) > SHOWN:
        rest = len(geometry) - (SHOWN - 1)
        geometry = [*geometry[: SHOWN - 1], f"{rest} more warnings like that; `skad inspect` lists them all."]
    for text in [*others, *geometry]:
        caution(text)


def caution(text):
    """A warning on standard error, which no filter of warnings hides."""
    shout(f"skad: warning: {one_line(ValueError(text))}")
    record_under("warnings", [text])
