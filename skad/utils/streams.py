"""Standard output and standard error of a command, whoever reads them."""

import contextlib
import os
import sys
from collections.abc import Iterator

READER_LEFT = 141  # as a shell reports SIGPIPE


def escape_unprintable() -> None:
    """Print what the encoding of a terminal lacks with backslashes, as an accent in the locale C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def reader_may_leave() -> Iterator[None]:
    """End a run quietly when nobody reads its output any more, as after ``| head``.

    Raises
    ------
    SystemExit
        With the code 141, in place of a BrokenPipeError.
    """
    try:
        yield
    except BrokenPipeError:
        devnull = os.open(os.devnull, os.O_WRONLY)  # for what the interpreter still writes at its end
        for stream in (sys.stdout, sys.stderr):
            if _is_closed(stream):
                os.dup2(devnull, stream.fileno())
        sys.exit(READER_LEFT)


@contextlib.contextmanager
def to_standard_error() -> Iterator[None]:
    """Send to standard error what is printed, also by libraries and the processes they start."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _is_closed(stream):
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    return False
