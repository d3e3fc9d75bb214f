"""Where messages go: the terminal, a file, or nowhere."""

import contextlib
import logging
import sys

from skad.utils.progress import without_bars

LINE = "%(asctime)s %(message)s"
SPOKEN = logging.getLogger("skad.cli")  # of what commands print themselves

_quiet = False


@contextlib.contextmanager
def feedback(*, quiet=False, verbose=False, log=None):
    """Send what the library logs where a user reads it, for the time of the block.

    Without a terminal, or with `verbose`, every finished item is a line on standard error; else a bar stands
    for these lines.

    Parameters
    ----------
    quiet : bool, default=False
        Errors and warnings only.
    verbose : bool, default=False
        Lines on a terminal, too, and details.
    log : path-like, default=None
        A file that gets everything, with dates; lines are added to it.

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
        print(text, flush=True)
    SPOKEN.info(text)


def shout(text):
    """Print a line to standard error, whatever was asked for, and log it."""
    print(text, file=sys.stderr, flush=True)
    SPOKEN.warning(text)


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
