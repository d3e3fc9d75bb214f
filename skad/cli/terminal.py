"""What commands say: to the terminal, to a log, and as the one JSON object of ``--json``."""

import contextlib
import json
import logging
import os
import sys

from skad.utils import tables
from skad.utils.files import json_types
from skad.utils.logs import messages
from skad.utils.messages import one_line
from skad.version import __version__

REPORT = "report.html"
READER_LEFT = 141  # as a shell reports SIGPIPE
SPOKEN = logging.getLogger("skad.cli")  # of what commands print themselves
SPOKEN.addHandler(logging.NullHandler())  # without another handler, logging would print it again

_speaker = "skad"  # the command that runs, before its complaints
_quiet = False
_recorded = None  # a dict while a command runs with --json


@contextlib.contextmanager
def feedback(*, quiet=False, verbose=False, log=None):
    """As `skad.utils.logs.messages`; with `quiet` commands print no results either."""
    global _quiet
    before, _quiet = _quiet, quiet
    try:
        with messages(quiet=quiet, verbose=verbose, log=log, without=SPOKEN.name):
            yield
    finally:
        _quiet = before


@contextlib.contextmanager
def speaking_as(name):
    """Begin complaints with the name of a command."""
    global _speaker
    before, _speaker = _speaker, name
    try:
        yield
    finally:
        _speaker = before


@contextlib.contextmanager
def reader_may_leave():
    """End a run quietly when nobody reads its output any more, as after ``| head``."""
    try:
        yield
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)  # for what the interpreter still writes at its end
        for stream in (sys.stdout, sys.stderr):
            if _is_closed(stream):
                os.dup2(devnull, stream.fileno())
        sys.exit(READER_LEFT)


def _is_closed(stream):
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    return False


def say(text):
    """Print a line, unless ``--quiet``, and log it."""
    if not _quiet:
        with reader_may_leave():
            print(text, flush=True)  # at once, even when a file listens
    SPOKEN.info(text)


def shout(text):
    """Print a line to standard error, whatever was asked for, and log it."""
    with reader_may_leave():
        print(text, file=sys.stderr, flush=True)
    SPOKEN.warning(text)


def tell(text):
    """Say what is done."""
    say(text)
    record_under("messages", [text])


def warn(text):
    """A warning on standard error, which no filter of warnings hides."""
    text = one_line(ValueError(text))
    shout(f"{_speaker}: warning: {text}")
    record_under("warnings", [text])


def complain(errors):
    """One line per subject that failed."""
    for subject, error in errors.items():
        shout(f"{_speaker}: {subject}: {one_line(error)}")
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
        with reader_may_leave():
            print(json.dumps(json_types(_recorded), allow_nan=False), file=out, flush=True)
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
