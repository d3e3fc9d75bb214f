"""The values that ``skad tune`` tries, from a file and back to the command line."""

import tomllib
from pathlib import Path

from skad.cli.methods import value_of


def read_grid(path):
    """Lists of values from a TOML file.

    Parameters
    ----------
    path : path-like
        ``n_components = [3, 6]`` in a table ``[score]``, or ``score__n_components = [3, 6]``; text is read as
        in ``--set``, so that ``"None"`` is None.

    Returns
    -------
    dict of str to list

    Raises
    ------
    ValueError
        Says what is wrong in the file.
    """
    try:
        grid = dict(_flat(tomllib.loads(Path(path).read_text(encoding="utf-8"))))
    except ValueError as error:
        raise ValueError(f"{path} is not TOML: {error}.") from error
    if not grid:
        raise ValueError(f"{path} should hold lists of values, as score__n_components = [3, 6], got none.")
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"{path}: {name} should be a list of values to try, got {values!r}.")
        if name.startswith("preprocessor__"):
            raise ValueError(f"{path}: {name} cannot be searched, scans are prepared once; use --set.")
    return {name: [value_of(v) if isinstance(v, str) else v for v in values] for name, values in grid.items()}


def as_settings(candidate):
    """Parameters as `build_detector` and ``--set`` take them.

    Parameters
    ----------
    candidate : dict of str to object

    Returns
    -------
    list of str

    Examples
    --------
    >>> as_settings({"score__n_components": 3, "score__residual": "signed"})
    ['score__n_components=3', "score__residual='signed'"]
    """
    return [f"{name}={value!r}" for name, value in candidate.items()]


def _flat(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}__")
        else:
            yield prefix + name, value
