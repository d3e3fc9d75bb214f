"""The subjects of a folder that a command is asked to work on."""

from skad.datasets import load
from skad.utils.names import nearest


def subjects_where(volumes, where):
    """The volumes whose column of participants.tsv has a value.

    Parameters
    ----------
    volumes : list of Volume
    where : sequence of str
        ``"column=value"``, all of which should hold.

    Raises
    ------
    ValueError
        No volume has the column, or none the values.
    """
    for condition in where:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ValueError(f"--where {condition} should look like column=value.")
        if not any(column in volume.info for volume in volumes):
            columns = {name for volume in volumes for name in volume.info}
            raise ValueError(
                f"--where {condition}: participants.tsv has no column {column!r}"
                f"{_hint(column, columns, '; check its name.')}"
            )
        values = {str(volume.info.get(column)) for volume in volumes}
        volumes = [volume for volume in volumes if str(volume.info.get(column)) == value]
        if not volumes:
            raise ValueError(
                f"--where {condition} leaves no subject{_hint(value, values, '; check the value.')}"
            )
    return volumes


def _hint(name, names, otherwise):
    near = nearest(name, names)
    return f": {near}" if near else otherwise


def load_cohort(folder, *, contrasts=None, where=()):
    """All subjects of a folder; a missing contrast is NaN, and subjects that cannot be opened come as errors.

    Returns
    -------
    volumes : list of Volume
    errors : dict of str to ValueError
    """
    missing = "raise" if contrasts is None else "nan"
    volumes, errors = load(folder, contrasts=contrasts, missing=missing, on_error="collect")
    return (subjects_where(volumes, where) if volumes else volumes), errors
