"""A folder that one run at a time may write to."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from skad.utils.files import WriteError, cannot_write
from skad.utils.typing import PathLike

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".skad-lock"


class LockedError(ValueError):
    """Another run writes to the folder; the message names the folder and the run."""


@contextlib.contextmanager
def locked(folder: PathLike) -> Iterator[Path]:
    """Keep a folder for this run; the block of a second run does not start.

    The lock is one of the operating system (``flock``) on the file ``.skad-lock``: it ends with the process,
    however that ends, and with the processes it forked, so that no lock of a dead run has to be recognized by
    the number of a process, which another process may have got since. The file is removed at the end of the
    block; one that a killed run left behind locks nothing. Where a file system, or Windows, has no ``flock``,
    nothing is locked.

    Parameters
    ----------
    folder : path-like
        Exists.

    Yields
    ------
    pathlib.Path
        `folder`.

    Raises
    ------
    LockedError
        Another run holds the lock.
    WriteError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with locked(folder), locked(folder):
    ...     pass
    Traceback (most recent call last):
    skad.utils.locks.LockedError: ... is in use by another run of skad (process ...
    """
    folder = Path(folder)
    path = folder / LOCK
    descriptor = _acquire(path)
    try:
        yield folder
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)  # before it is let go: who waits finds that the file is another one
            os.close(descriptor)


def _acquire(path):
    """The open, locked file; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise WriteError(cannot_write(path, error)) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise LockedError(
                f"{path.parent} is in use by another run of skad ({holder or 'a process'}): "
                "wait until it ends, or choose another folder."
            ) from None
        except OSError:  # a file system without locks
            os.close(descriptor)
            path.unlink(missing_ok=True)
            return None
        if _is_still(path, descriptor):
            _sign(descriptor)
            return descriptor
        os.close(descriptor)  # its holder removed it meanwhile


def _is_still(path, descriptor):
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(descriptor):
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
