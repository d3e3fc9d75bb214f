"""Whether ``--strict`` was given: files that somebody may expect to be used and that are not are an error."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_strict = ContextVar("strict", default=False)


@contextlib.contextmanager
def strictness(strict: bool) -> Iterator[None]:
    """Whether folders are loaded strictly inside the block."""
    token = _strict.set(strict)
    try:
        yield
    finally:
        _strict.reset(token)


def is_strict() -> bool:
    """Whether a command was started with ``--strict``."""
    return _strict.get()
