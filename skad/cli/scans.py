"""The scans that a command reads: a folder, one subject's folder, or the files of one patient."""

import contextlib
import warnings

from skad.cli.terminal import complain, record, tell, warn
from skad.datasets import take_inventory
from skad.io import GeometryWarning, OtherGridWarning, read_volume
from skad.utils.names import check_name

SHOWN = 3  # subjects whose geometry is told one by one


def load_cohort(folder, *, contrasts=None, where=(), strict=False, missing="nan", coregister_to=None):
    """The subjects of a folder as volumes, and the errors of those that cannot be opened, by name.

    Tells in a line what is used, and warns of what somebody may expect to be used and is not; with `strict`
    that is an error. A command that moves the contrasts onto one of them later names it in `coregister_to`,
    or the first by "": it then gives the grid, and contrasts on other grids are no doubt.
    """
    inventory = inventory_of(folder, contrasts=contrasts, where=where)
    inventory = inventory.starting_with(coregister_to) if coregister_to else inventory
    if strict:
        check_strict(inventory)
    tell(inventory.summary())
    record(inventory=inventory.to_dict())
    with _doubts_told(other_grids=coregister_to is None):
        return inventory.open(missing=missing, on_error="collect")


def load_for_training(folder, **options):
    """The subjects that a command learns from, at least one, and how many could not be opened.

    A subject without one of the contrasts cannot; without any subject, the first one's error is raised.
    """
    volumes, errors = load_cohort(folder, missing="raise", **options)
    if not volumes:
        raise next(iter(errors.values()))
    complain(errors)
    return volumes, len(errors)


def load_to_score(folder, image, *, mask=None, labels=None, known=None, coregister_to=None, **options):
    """The volumes of a folder as of `load_cohort`, or that of one patient, whose files `image` names.

    Of the `known` contrasts of a detector, those without a file are missing in all voxels; other names are a
    mistake. None takes what there is.
    """
    if (folder is None) == (not image):
        raise ValueError("There should be either a folder of scans or --image NAME=FILE, not both.")
    if folder is not None:
        _refuse("--image", mask=mask, labels=labels)
        return load_cohort(folder, coregister_to=coregister_to, **options)
    chosen = options["contrasts"] if known is None else None
    _refuse("a folder", contrasts=chosen, where=options["where"], strict=options["strict"])
    files = dict(image)
    for name in files:
        check_name(name, files if known is None else known, "contrast of the detector")
    paths = files if known is None else {name: files.get(name) for name in known}
    if coregister_to:
        check_name(coregister_to, paths, "contrast in --image")
        paths = {coregister_to: paths[coregister_to], **paths}
    with _doubts_told(other_grids=coregister_to is None):
        return [read_volume(paths, mask=mask, labels=labels)], {}


def _refuse(source, **given):
    """Raise where options are given that only go with another source of scans."""
    names = [f"--{name}" for name, value in given.items() if value]
    if names:
        raise ValueError(f"{' and '.join(names)} can only be used with {source}.")


def inventory_of(folder, *, contrasts=None, where=()):
    """What a folder holds of what is selected; the values of a column that is named twice add up."""
    values = {}
    for column, allowed in where:
        values.setdefault(column, []).extend(allowed)
    return take_inventory(folder, contrasts=contrasts, where=values)


def check_strict(inventory):
    """Raise where an inventory has doubts."""
    if inventory.doubts:
        raise ValueError(f"--strict: {inventory.folder}: {'; '.join(inventory.doubts)}.")


@contextlib.contextmanager
def _doubts_told(*, other_grids):
    """Print what is in doubt, whatever filters of warnings are set; geometry of many scans in one line."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if not other_grids:
            warnings.simplefilter("ignore", OtherGridWarning)
        yield
    geometry = [str(each.message) for each in told if issubclass(each.category, GeometryWarning)]
    others = [str(each.message) for each in told if not issubclass(each.category, GeometryWarning)]
    if len(geometry) > SHOWN:
        rest = len(geometry) - (SHOWN - 1)
        geometry = [*geometry[: SHOWN - 1], f"{rest} more warnings like that; `skad inspect` lists them all."]
    for text in [*others, *geometry]:
        warn(text)
