"""Tables as CSV files that a spreadsheet opens as text and numbers, never as formulas."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from skad.utils.files import written_whole
from skad.utils.typing import PathLike

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs a cell that begins so (OWASP, CSV injection)


def write_table(rows: Iterable[Mapping[str, Any]], path: PathLike, columns: Sequence[str] = ()) -> None:
    """Write rows as CSV, complete or not at all.

    Parameters
    ----------
    rows : iterable of dict
        Text that a spreadsheet would take for a formula gets an apostrophe in front. What UTF-8 cannot hold,
        as file names in another encoding, is escaped by a backslash.
    path : path-like
    columns : sequence of str, default=()
        Come first; others follow in the order of their appearance.

    Raises
    ------
    WriteError
        The file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "table.csv")
    >>> write_table([{"subject": "=1+1", "score": -0.5}], path)
    >>> with open(path) as file:
    ...     print(file.read())
    subject,score
    '=1+1,-0.5
    >>> read_table(path)
    [{'subject': '=1+1', 'score': -0.5}]
    """
    rows = list(rows)
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    with (
        written_whole(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.DictWriter(file, names, restval="", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def read_table(path: PathLike) -> list[dict[str, Any]]:
    """Rows of a CSV file of :func:`write_table`, numbers as numbers; none where there is no file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of dict
    """
    if not Path(path).exists():
        return []
    with open(path, newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _cell(value):
    """A value for a CSV cell; names of files count as text, numbers as what they are."""
    if isinstance(value, bool | int | float) or hasattr(value, "dtype") or value is None:
        return value
    text = str(value)
    return "'" + text if text.startswith(FORMULA) else text


def _value(text):
    for kind in (int, float):
        try:
            return kind(text)
        except (ValueError, TypeError):
            continue
    return text[1:] if isinstance(text, str) and text[:1] == "'" and text[1:].startswith(FORMULA) else text
