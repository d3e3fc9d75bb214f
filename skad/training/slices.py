"""The slices that a network learns from."""

import numpy as np
from torch.utils.data import Dataset

from skad.utils.validation import rows_with_foreground


class Slices(Dataset):
    """The slices with foreground, read one by one so that a memory map stays on disk.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_contrasts, height, width) or (n_samples, 2, n_contrasts, height, width)
        NaN background.
    y : int ndarray of shape (n_samples, height, width), default=None

    Raises
    ------
    ValueError
        No slice has foreground.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.full((3, 1, 4, 5), np.nan)
    >>> X[1] = 2.0
    >>> slices = Slices(X)
    >>> len(slices), float(slices[0][0].max())
    (1, 2.0)
    """

    def __init__(self, X, y=None):
        self.X, self.y = X, y
        self.indices = rows_with_foreground(X)
        if not len(self.indices):
            raise ValueError("X should have foreground to learn from, got only background (NaN) slices.")

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, i):
        i = self.indices[i]
        labels = [] if self.y is None else [np.array(self.y[i], dtype=np.int64)]
        return [np.array(self.X[i], dtype=np.float32), *labels]
