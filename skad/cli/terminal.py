"""What commands say: to the terminal, to a log, and as the one JSON object of ``--json``."""

import contextlib
import json
import logging
import sys
from dataclasses import dataclass, replace

from skad.utils.files import json_types
from skad.utils.logs import messages
from skad.utils.messages import one_line
from skad.utils.streams import reader_may_leave, to_standard_error
from skad.version import __version__

REPORT = "report.html"
SPOKEN = logging.getLogger("skad.cli")  # of what commands print themselves
SPOKEN.addHandler(logging.NullHandler())  # without another handler, logging would print it again


@dataclass(frozen=True)
class _Run:
    """The command that runs, for its complaints; whether it prints no results; its JSON object, if any."""

    name: str = "skad"
    quiet: bool = False
    recorded: dict | None = None


_run = _Run()


@contextlib.contextmanager
def _running(**changes):
    global _run
    before, _run = _run, replace(_run, **changes)
    try:
        yield
    finally:
        _run = before


def speaking_as(name):
    """Begin complaints in the block with the name of a command."""
    return _running(name=name)


@contextlib.contextmanager
def feedback(*, quiet=False, verbose=False, log=None):
    """As `skad.utils.logs.messages`; with `quiet` commands print no results either."""
    with _running(quiet=quiet), messages(quiet=quiet, verbose=verbose, log=log, without=SPOKEN.name):
        yield


@contextlib.contextmanager
def json_output(command):
    """Keep standard output for one JSON object, which the end of the block prints.

    The block gets the object, a dict that `record` fills; its ``exit_code`` is up to the caller.
    """
    recorded, out = {"skad": __version__, "command": command}, sys.stdout
    with _running(recorded=recorded), to_standard_error():
        yield recorded
    with reader_may_leave():
        print(json.dumps(json_types(recorded), allow_nan=False), file=out, flush=True)


def say(text):
    """Print a line, unless ``--quiet``, and log it."""
    if not _run.quiet:
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
    shout(f"{_run.name}: warning: {text}")
    record_under("warnings", [text])


def complain(errors):
    """One line per subject that failed; those that failed alike share one."""
    lines, alike = {subject: one_line(error) for subject, error in errors.items()}, {}
    for subject, line in lines.items():
        alike.setdefault(line, []).append(subject)
    for line, subjects in alike.items():
        shout(f"{_run.name}: {', '.join(subjects)}: {line}")
    record_under("errors", lines)


def record_tables(rows):
    """Put the rows of files into the object of ``--json``."""
    record_under("tables", {path.as_posix(): each for path, each in rows.items()})


def record(**fields):
    """Add fields to the object of ``--json``; nothing happens without it."""
    if _run.recorded is not None:
        _run.recorded.update(fields)


def record_under(name, items):
    """Add items to the dict, or to the list, that the object holds under a name."""
    if _run.recorded is None:
        return
    if isinstance(items, dict):
        _run.recorded.setdefault(name, {}).update(items)
    else:
        _run.recorded.setdefault(name, []).extend(items)
