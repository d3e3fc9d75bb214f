"""Files that appear complete or not at all."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from skad.utils.typing import PathLike


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name when the block ends well, and vanishes otherwise.

    Parameters
    ----------
    path : path-like
        Replaced if it exists; missing folders are made.

    Yields
    ------
    pathlib.Path
        Write here.

    Raises
    ------
    ValueError
        The folder cannot be written.

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
    temporary = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error.strerror or error}): choose a folder you may write to."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
