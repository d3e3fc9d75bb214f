"""What ``--json`` prints: one object of what a command wrote and said; all else goes to standard error."""

import contextlib
import json
import math
import os
import sys
from pathlib import Path

from skad.version import __version__

_recorded = None  # a dict while a command runs with --json


def record(**fields):
    """Add fields to the object; nothing happens without ``--json``."""
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
