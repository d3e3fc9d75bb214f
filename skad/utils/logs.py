"""Messages of a run while it works: lines on standard error, and a file with all of them."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from skad.utils.progress import without_bars
from skad.utils.typing import PathLike

_LINE = "%(asctime)s %(message)s"


@contextlib.contextmanager
def messages(
    *, quiet: bool = False, verbose: bool = False, log: PathLike | None = None, without: str | None = None
) -> Iterator[None]:
    r"""Show what skad logs for the time of the block, as the commands do.

    Without a terminal, or with `verbose`, every finished item is a line on standard error; else a bar stands
    for these lines.

    Parameters
    ----------
    quiet : bool, default=False
        Show no lines and no bars; warnings are as always.
    verbose : bool, default=False
        Show lines instead of bars on a terminal, too, with details.
    log : path-like, default=None
        Append all messages to this file, with dates.
    without : str, default=None
        Name of a logger whose messages are shown already, and go to the file only.

    Raises
    ------
    ValueError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.utils.logs import messages
    >>> from skad.utils.progress import Progress
    >>> path = Path(tempfile.mkdtemp(), "skad.log")
    >>> with messages(quiet=True, log=path), Progress("score", 1) as progress:
    ...     progress.step("sub-01")
    >>> path.read_text().split(maxsplit=2)[2]
    'score 1/1: sub-01 (0 s in all)\n'
    """
    logger = logging.getLogger("skad")
    before = logger.level, list(logger.handlers), logger.propagate
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    bars = without_bars() if quiet or verbose else contextlib.nullcontext()
    try:
        for handler in _handlers(quiet, verbose, log, without):
            logger.addHandler(handler)
        with bars:
            yield
    finally:
        for handler in set(logger.handlers) - set(before[1]):
            logger.removeHandler(handler)
            handler.close()
        logger.level, _, logger.propagate = before


def _handlers(quiet, verbose, log, without):
    if not quiet and (verbose or not sys.stderr.isatty()):
        lines = logging.StreamHandler(sys.stderr)
        lines.setFormatter(logging.Formatter(_LINE, "%H:%M:%S"))
        lines.addFilter(lambda record: record.name != without)
        yield lines
    if log is not None:
        try:
            file = logging.FileHandler(log, encoding="utf-8", errors="backslashreplace", delay=False)
        except OSError as error:
            raise ValueError(
                f"--log {log} cannot be written ({error.strerror}): give another file."
            ) from error
        file.setFormatter(logging.Formatter(_LINE))
        yield file
