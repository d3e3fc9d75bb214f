"""How far a long run has come: a bar on a terminal, and a line of the log per finished item."""

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from tqdm import tqdm

logger = logging.getLogger("skad")


_bars: ContextVar[bool] = ContextVar("skad_bars", default=True)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Show no progress bar in the block."""
    token = _bars.set(False)
    try:
        yield
    finally:
        _bars.reset(token)


def shows_bars() -> bool:
    """Whether progress bars are shown: standard error is a terminal, and nobody asked for silence."""
    return _bars.get() and sys.stderr is not None and sys.stderr.isatty()


class Progress:
    """Tell of every finished item, and how long the others will take.

    A line per item goes to the logger ``skad`` at level INFO; a bar is shown where standard error is a
    terminal.

    Parameters
    ----------
    what : str
        The task, for example ``"score"``.
    total : int
        Number of items.
    unit : str, default="subject"
        What an item is.
    bar : bool, default=True
        False shows no bar on a terminal either.

    Examples
    --------
    >>> with Progress("score", 2) as progress:
    ...     progress.step("sub-01")
    ...     progress.step("sub-02: failed")
    """

    def __init__(self, what: str, total: int, *, unit: str = "subject", bar: bool = True) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._begin = time.monotonic()
        self._bar = tqdm(desc=what, total=total, unit=unit, disable=not (bar and shows_bars()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def step(self, text: str) -> None:
        """Count an item as finished and say what came of it."""
        self.done += 1
        self._bar.update()
        logger.info("%s %d/%d: %s%s", self.what, self.done, self.total, text, self._left())

    def _left(self):
        if self.done >= self.total:
            return f" ({duration(time.monotonic() - self._begin)} in all)"
        seconds = (time.monotonic() - self._begin) / self.done * (self.total - self.done)
        return f" (about {duration(seconds)} left)"


def duration(seconds: float) -> str:
    """A time as people say it.

    Examples
    --------
    >>> [duration(seconds) for seconds in (0.4, 75, 8000)]
    ['0 s', '1 min 15 s', '2 h 13 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
