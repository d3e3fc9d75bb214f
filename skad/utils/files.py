"""Files that appear complete or not at all."""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skad.utils.typing import PathLike

_PARTIAL = ".partial"
_HOST = re.sub("[^0-9A-Za-z]", "", socket.gethostname())[:16] or "host"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class WriteError(ValueError):
    """A file cannot be written; the message is one sentence that names the file and the remedy."""


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well, and vanishes otherwise.

    The content is on the disk before the name changes, so that neither a killed process nor a power failure
    leaves half a file, or none, where there was one. What killed processes left of earlier attempts at the
    same file is removed.

    Parameters
    ----------
    path : path-like
        Replaced if it exists; missing folders are made.

    Yields
    ------
    pathlib.Path
        Write here. It ends as ``path`` does, for libraries that choose a format by the ending.

    Raises
    ------
    WriteError
        The disk is full, or the folder cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "table.csv")
    >>> with written_whole(path) as temporary:
    ...     _ = temporary.write_text("subject,roc_auc")
    >>> os.listdir(os.path.dirname(path))
    ['table.csv']
    """
    path = Path(path)
    ending = ".nii.gz" if path.name.endswith(".nii.gz") else path.suffix
    temporary = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.{uuid.uuid4().hex[:8]}{_PARTIAL}{ending}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep_earlier(path)
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise WriteError(cannot_write(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def cannot_write(path: PathLike, error: OSError) -> str:
    """One sentence on why a path could not be written, and what to do.

    Examples
    --------
    >>> cannot_write("a.csv", OSError(28, "No space left on device"))
    'a.csv cannot be written, the disk is full: free some space, or choose another folder.'
    """
    if error.errno in _FULL:
        return f"{path} cannot be written, the disk is full: free some space, or choose another folder."
    return f"{path} cannot be written ({error.strerror or error}): choose a folder you may write to."


def write_json(content: Any, path: PathLike) -> None:
    """Write JSON, complete or not at all.

    Raises
    ------
    WriteError
        The file cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def json_types(value: Any) -> Any:
    """A value in the types that JSON has: paths as text, NaN as null, arrays as lists.

    Examples
    --------
    >>> json_types({Path("a", "b"): (float("nan"), Path("c", "d"), 1.5)})
    {'a/b': [None, 'c/d', 1.5]}
    """
    if isinstance(value, dict):
        return {str(key): json_types(each) for key, each in value.items()}
    if hasattr(value, "tolist"):
        return json_types(value.tolist())
    if isinstance(value, list | tuple):
        return [json_types(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.as_posix()
    return value if isinstance(value, str | int | bool | None) else str(value)


def copy_whole(source: PathLike, path: PathLike) -> None:
    """Copy a file, complete or not at all.

    Raises
    ------
    WriteError
        The copy cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(Path(source).read_bytes())


def sweep(folder: PathLike) -> None:
    """Remove the temporary files of :func:`written_whole` in a folder and below it.

    To be called by who holds the folder's lock (:func:`skad.utils.locks.locked`): nobody else writes there,
    so what is found was left by killed processes.
    """
    for path in Path(folder).rglob(f".*{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def sha256(*paths: PathLike) -> str:
    """SHA-256 of a file, or of several one after the other, hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def _sweep_earlier(path):
    """Remove what processes of this machine that are no more left of the same file."""
    mark = f".{path.name}.{_HOST}."
    for left in path.parent.iterdir():
        if left.name.startswith(mark) and _PARTIAL in left.name:
            pid = left.name.removeprefix(mark).partition(".")[0]
            if pid.isdigit() and not _runs(int(pid)):
                left.unlink(missing_ok=True)


def _runs(pid):
    if os.name != "posix":  # os.kill would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(path):
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder):
    """Make a renaming last through a power failure, where the system can sync folders."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
