"""Folders for output."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from skad.utils.files import WriteError
from skad.utils.typing import PathLike


@contextlib.contextmanager
def new_folder(path: PathLike) -> Iterator[Path]:
    """Make a folder for output; what of it is still empty at the end vanishes again.

    Raises
    ------
    WriteError
        It cannot be made.
    """
    path = Path(path)
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(
            f"{path} cannot be made a folder ({error.strerror}): choose a folder you may write to."
        ) from error
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            for folder in made:
                folder.rmdir()
