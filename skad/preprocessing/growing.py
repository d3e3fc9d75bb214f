"""Arrays that grow by rows: in memory, or in an .npy file for what is larger than memory."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from skad.utils.files import written_whole


class RowList:
    """Rows kept in memory until `result` joins them.

    Parameters
    ----------
    dtype : dtype-like
    """

    def __init__(self, dtype):
        self._dtype = dtype
        self._parts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def append(self, rows):
        """Keep rows of shape (n, ...)."""
        self._parts.append(np.asarray(rows, dtype=self._dtype))

    def result(self):
        """All rows in one array."""
        return np.concatenate(self._parts)


class RowFile:
    """Rows written to an .npy file whose length is not known beforehand.

    Used as a context manager: the file appears under its name when the block ends well, and not at all
    otherwise.

    Parameters
    ----------
    path : path-like
        Replaced if it exists; missing folders are made.
    row_shape : tuple of int
    dtype : dtype-like

    Raises
    ------
    WriteError
        The disk is full, or the folder cannot be written.

    Examples
    --------
    >>> import numpy as np, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "rows.npy")
    >>> with RowFile(path, (2,), np.float32) as rows:
    ...     rows.append(np.ones((3, 2)))
    ...     rows.append(np.zeros((1, 2)))
    >>> rows.result().shape
    (4, 2)
    """

    def __init__(self, path, row_shape, dtype):
        self.path = Path(path)
        self._row_shape = tuple(row_shape)
        self._dtype = np.dtype(dtype)
        self._n_rows = 0

    def __enter__(self):
        with ExitStack() as stack:
            temporary = stack.enter_context(written_whole(self.path))
            self._file = stack.enter_context(open(temporary, "wb"))
            self._write_header()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        if error[0] is None:
            self._file.seek(0)
            self._write_header()  # numpy pads the header so that a longer first axis still fits
        return self._stack.__exit__(*error)

    def append(self, rows):
        """Write rows of shape (n, *row_shape)."""
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._n_rows += len(rows)

    def result(self):
        """All rows as a read-only memmap."""
        return np.load(self.path, mmap_mode="r")

    def _write_header(self):
        shape = (self._n_rows, *self._row_shape)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
