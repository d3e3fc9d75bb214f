"""The table participants.tsv of a BIDS folder."""

import re

from skad.io import VolumeReadError

ID = "participant_id"
SESSION_COLUMNS = ("session", "session_id", "ses")
MISSING = "n/a"
LARGEST = 2**26  # bytes


class Participants:
    """What a table says of participants and, where it has a column of sessions, of each session.

    Parameters
    ----------
    rows : dict of (str, str) to dict of str to str
        Columns by participant (``sub-*``) and session (without ``ses-``, empty where there is none).
    """

    def __init__(self, rows=None):
        self.rows = rows or {}

    def of(self, subject, session):
        """The columns of a participant's session; where it has no row of its own, what all rows agree on."""
        session = session.removeprefix("ses-")
        own = {key[1]: row for key, row in self.rows.items() if key[0] == subject}
        matching = [row for name, row in own.items() if session and _same(name, session)]
        rows = matching or list(own.values())
        return (
            {name: value for name, value in rows[0].items() if all(r.get(name) == value for r in rows)}
            if rows
            else {}
        )


def read_participants(path):
    """Read a table of tab-separated values.

    UTF-8 and UTF-16 with or without a byte order mark, and Latin-1; Windows and old Mac line ends; quotes are
    plain characters unless they enclose a cell; empty cells at the end of a row are ignored. Ids may lack
    ``sub-``. A row that appears twice counts once.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    Participants
        Empty where there is no such file.

    Raises
    ------
    VolumeReadError
        Names file, line and remedy.
    """
    if not path.is_file():
        return Participants()
    lines = re.split(r"\r\n|\r|\n", _text(path))
    table = [(number, _cells(line)) for number, line in enumerate(lines, 1) if line.strip()]
    if not table:
        return Participants()
    columns = _header(path, *table[0])
    session_column = next((name for name in columns if name.casefold() in SESSION_COLUMNS), None)
    rows, first_line = {}, {}
    for number, cells in table[1:]:
        row = _row(path, number, cells, columns)
        subject = row[ID] if row[ID].startswith("sub-") else f"sub-{row[ID]}"
        session = row.pop(session_column, "") if session_column else ""
        key = subject, "" if session == MISSING else session.removeprefix("ses-")
        row[ID] = subject
        if rows.setdefault(key, row) != row:
            raise VolumeReadError(
                f"{path}, line {number}: {subject} has other values than in line {first_line[key]}: keep one "
                "row per participant, or add a column session."
            )
        first_line.setdefault(key, number)
    return Participants(rows)


def _text(path):
    try:
        if path.stat().st_size > LARGEST:
            raise VolumeReadError(
                f"{path} should have at most {LARGEST} bytes: it is not a table of participants."
            )
        content = path.read_bytes()
    except OSError as error:
        raise VolumeReadError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    if b"\0" in content and encoding == "utf-8-sig":
        encoding = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
    try:
        return content.decode(encoding).replace("\0", "")
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig":
            raise VolumeReadError(
                f"{path} is neither UTF-8 nor {encoding.upper()} ({error.reason}): save it as UTF-8."
            ) from error
        return content.decode("latin-1")


def _cells(line):
    cells = [_unquoted(cell.strip()) for cell in line.split("\t")]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _unquoted(cell):
    """A cell without the quotes that enclose it; a lone quote stays."""
    if len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', ""):
        return cell[1:-1].replace('""', '"')
    return cell


def _header(path, number, columns):
    columns = [re.sub("\ufeff", "", column) for column in columns]
    if ID not in columns:
        raise VolumeReadError(
            f"{path} should have a tab-separated column {ID} in line {number}: add it or remove the file."
        )
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise VolumeReadError(f"{path}, line {number}, has the column {twice!r} twice: rename one.")
    return columns


def _row(path, number, cells, columns):
    if len(cells) > len(columns):
        raise VolumeReadError(
            f"{path}, line {number}, has {len(cells)} cells for {len(columns)} columns: remove the extra "
            "cells, or look for a tab inside a cell."
        )
    row = dict(zip(columns, cells + [MISSING] * (len(columns) - len(cells)), strict=True))
    row = {name: value or MISSING for name, value in row.items()}
    if row[ID] == MISSING:
        raise VolumeReadError(f"{path}, line {number}, has no {ID}: add it or remove the line.")
    return row


def _same(name, session):
    return name == session or (name.isdecimal() and session.isdecimal() and int(name) == int(session))
