"""Arrays larger than memory: read from disk chunk by chunk, results on disk again."""

import contextlib
import mmap
import os
import tempfile

import numpy as np
from sklearn.utils import gen_batches

_CHUNK = 128  # slices in memory at a time


def is_on_disk(X):
    """Whether an array reads its values from a memory-mapped file.

    Parameters
    ----------
    X : object
        A view of a memory map is on disk, a copy (as fancy indexing makes) is not.

    Examples
    --------
    >>> import numpy as np
    >>> is_on_disk(np.zeros(3))
    False
    """
    while isinstance(X, np.ndarray):
        X = X.base
    return isinstance(X, mmap.mmap)


def map_chunks(function, X):
    """Apply a function to the samples of an array; in memory at once, from disk chunk by chunk.

    Parameters
    ----------
    function : callable
        ``function(chunk)`` -> array with as many samples as the chunk; samples do not depend on each other.
    X : ndarray of shape (n_samples, ...)

    Returns
    -------
    ndarray of shape (n_samples, ...)
        What the function returns. Where X is on disk it is float32 and on disk too, in a file without a name
        in the folder for temporary files (environment variable TMPDIR), which goes when the array goes.

    Raises
    ------
    OSError
        The folder for temporary files has no room.

    Examples
    --------
    >>> import numpy as np
    >>> map_chunks(lambda chunk: chunk.sum(axis=1), np.ones((3, 2)))
    array([2., 2., 2.])
    """
    if not is_on_disk(X):
        return function(X)
    result = None
    for chunk in gen_batches(len(X), _CHUNK):
        part = function(np.array(X[chunk], dtype=np.float32))
        if result is None:
            result = _array_on_disk((len(X), *part.shape[1:]))
        result[chunk] = part
        del part  # before the next chunk needs the room
    return result


def take_slices(X, rows):
    """Some samples of an array: in memory, or on disk where the array is.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
    rows : int ndarray of shape (n_rows,), or slice

    Returns
    -------
    ndarray of shape (n_rows, ...)
        A view where `rows` is a slice; as of :func:`map_chunks` where X is on disk.

    Examples
    --------
    >>> import numpy as np
    >>> take_slices(np.arange(4.0), np.array([0, 3]))
    array([0., 3.])
    """
    if isinstance(rows, slice) or not is_on_disk(X):
        return X[rows]
    taken = _array_on_disk((len(rows), *X.shape[1:]))
    for chunk in gen_batches(len(rows), _CHUNK):
        taken[chunk] = X[rows[chunk]]
    return taken


def _array_on_disk(shape):
    """A float32 array in an unnamed temporary file.

    It is no ``np.memmap``: joblib would send a memory map to another process by the name of its file.
    """
    n_bytes = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    with tempfile.TemporaryFile() as file:
        _reserve(file, n_bytes)
        return np.ndarray(shape, dtype=np.float32, buffer=mmap.mmap(file.fileno(), n_bytes))


def _reserve(file, n_bytes):
    """Claim the room now: a mapped file that finds the disk full later would kill the process."""
    try:
        with contextlib.suppress(AttributeError):  # not on every system
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        file.truncate(n_bytes)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{n_bytes / 1e9:.1f} GB are needed for temporary results in {tempfile.gettempdir()}: "
            f"{error.strerror}; set TMPDIR to a folder with room",
        ) from error
