"""The bytes of an image file, plain or gzip'ed: never more of them than a header promises."""

import gzip
from contextlib import contextmanager

GZIP = b"\x1f\x8b"
MOST_EXPANSION = 1032  # times the compressed size is the most that deflate can hold (RFC 1951)
SLACK = 2**20  # bytes after the voxels that some tools leave; more means that the header is another image's
_BLOCK = 2**24


def read_head(path, n_bytes):
    """The first bytes of a file, or all where it has fewer."""
    with _opened(path) as (file, _):
        return file.read(n_bytes)


def read_part(path, offset, n_bytes):
    """Bytes of a file from an offset on.

    Parameters
    ----------
    path : pathlib.Path
    offset, n_bytes : int
        In the decompressed file.

    Returns
    -------
    bytearray of length `n_bytes`

    Raises
    ------
    EOFError
        The file cannot hold as many; found out before they are allocated.
    OSError, zlib.error
        The file is damaged: the checksum of a gzip'ed file is verified.
    ValueError
        More than `SLACK` bytes follow.
    """
    with _opened(path) as (file, most):
        if offset + n_bytes > most:
            raise EOFError(f"its header declares {offset + n_bytes} bytes, it holds at most {most}")
        _fill(file, None, offset)
        content = bytearray(n_bytes)
        _fill(file, memoryview(content), n_bytes)
        if len(file.read(SLACK + 1)) > SLACK:  # to the end, where the checksum is
            raise ValueError("its header declares fewer voxels than it holds")
    return content


def _fill(file, view, n_bytes):
    """Read into a view, or past the bytes where there is none."""
    done = 0
    while done < n_bytes:
        block = file.read(min(_BLOCK, n_bytes - done))
        if not block:
            raise EOFError(f"it ends {n_bytes - done} bytes too early")
        if view is not None:
            view[done : done + len(block)] = block
        done += len(block)


@contextmanager
def _opened(path):
    """The file, decompressed where its first bytes say gzip, and the most bytes it can hold."""
    size = path.stat().st_size
    with open(path, "rb") as raw:
        compressed = raw.read(len(GZIP)) == GZIP
        raw.seek(0)
        if compressed:
            with gzip.GzipFile(fileobj=raw) as file:
                yield file, size * MOST_EXPANSION
        else:
            yield raw, size
