"""The values that a search tries, from a file."""

import tomllib
from pathlib import Path
from typing import Any

from skad.utils.literals import python_value
from skad.utils.typing import PathLike


def read_grid(path: PathLike) -> dict[str, list[Any]]:
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
            raise ValueError(
                f"{path}: {name} cannot be searched, because scans are preprocessed once; use --set."
            )
    return {
        name: [python_value(v) if isinstance(v, str) else v for v in values] for name, values in grid.items()
    }


def _flat(table, prefix=""):
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}__")
        else:
            yield prefix + name, value
