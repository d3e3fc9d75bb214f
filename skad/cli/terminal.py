"""What commands say: to the terminal, to a log, and as the one JSON object of ``--json``."""

import contextlib
import json
import logging
import math
import os
import sys
from pathlib import Path

from skad.utils import tables
from skad.utils.messages import one_line
from skad.utils.progress import without_bars
from skad.version import __version__

REPORT = "report.html"
LINE = "%(asctime)s %(message)s"
SPOKEN = logging.getLogger("skad.cli")  # of what commands print themselves

_quiet = False
_recorded = None  # a dict while a command runs with --json


@contextlib.contextmanager
def feedback(*, quiet=False, verbose=False, log=None):
    """Send what the library logs where a user reads it, for the time of the block.

    Without a terminal, or with `verbose`, every finished item is a line on standard error; else a bar stands
    for these lines. `quiet` leaves errors and warnings only; the file `log` gets everything, with dates.

    Raises
    ------
    ValueError
        The file cannot be written.
    """
    global _quiet
    logger = logging.getLogger("skad")
    before = logger.level, list(logger.handlers), logger.propagate, _quiet
    _quiet = quiet
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    bars = without_bars() if quiet or verbose else contextlib.nullcontext()
    try:
        for handler in _handlers(quiet, verbose, log):
            logger.addHandler(handler)
        with bars:
            yield
    finally:
        for handler in set(logger.handlers) - set(before[1]):
            logger.removeHandler(handler)
            handler.close()
        logger.level, _, logger.propagate, _quiet = before


def say(text):
    """Print a line, unless ``--quiet``, and log it."""
    if not _quiet:
        print(text, flush=True)  # at once, even when a file listens
    SPOKEN.info(text)


def shout(text):
    """Print a line to standard error, whatever was asked for, and log it."""
    print(text, file=sys.stderr, flush=True)
    SPOKEN.warning(text)


def tell(text):
    """Say what is done."""
    say(text)
    record_under("messages", [text])


def warn(text, command="skad"):
    """A warning on standard error, which no filter of warnings hides."""
    text = one_line(ValueError(text))
    shout(f"{command}: warning: {text}")
    record_under("warnings", [text])


def complain(command, errors):
    """One line per subject that failed."""
    for subject, error in errors.items():
        shout(f"skad {command}: {subject}: {one_line(error)}")
    record_under("errors", {subject: one_line(error) for subject, error in errors.items()})


def write_table(rows, path):
    """Write a table as CSV, and into the object of ``--json``."""
    tables.write_table(rows, path)
    record_tables({path: rows})


def record_tables(rows):
    """Put the rows of files into the object of ``--json``."""
    record_under("tables", {path.as_posix(): each for path, each in rows.items()})


def record(**fields):
    """Add fields to the object of ``--json``; nothing happens without it."""
    if _recorded is not None:
        _recorded.update(fields)


def record_under(name, items):
    """Add items to the dict, or to the list, that the object holds under a name."""
    if _recorded is not None:
        if isinstance(items, dict):
            _recorded.setdefault(name, {}).update(items)
        else:
            _recorded.setdefault(name, []).extend(items)


@contextlib.contextmanager
def json_output(command):
    """Keep standard output for one JSON object, which the end of the block prints.

    Yields
    ------
    dict
        To be filled by `record`; its ``exit_code`` is up to the caller.
    """
    global _recorded
    _recorded = {"skad": __version__, "command": command}
    out = sys.stdout
    try:
        with _to_standard_error():
            yield _recorded
        print(json.dumps(_plain(_recorded), allow_nan=False), file=out, flush=True)
    finally:
        _recorded = None


@contextlib.contextmanager
def _to_standard_error():
    """Send there what is printed, also by libraries and the processes they start."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _plain(value):
    """What JSON knows: paths as text, NaN as null, arrays and their scalars as lists and numbers."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    return value if isinstance(value, str | int | bool | None) else str(value)


def _handlers(quiet, verbose, log):
    if not quiet and (verbose or not sys.stderr.isatty()):
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(logging.Formatter(LINE, "%H:%M:%S"))
        lines.addFilter(lambda record: record.name != SPOKEN.name)  # these are printed already
        yield lines
    if log is not None:
        try:
            file = logging.FileHandler(log, encoding="utf-8", errors="backslashreplace", delay=False)
        except OSError as error:
            raise ValueError(
                f"--log {log} cannot be written ({error.strerror}): give another file."
            ) from error
        file.setFormatter(logging.Formatter(LINE))
        yield file
