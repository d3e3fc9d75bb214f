"""Voxels that come from no file, in the form a `Volume` reads: `shape`, `where`, `load()`, `covered()`."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class InMemory:
    """Voxels that are already in memory, as a source."""

    array: np.ndarray
    where: str

    @property
    def shape(self):
        """Voxels per axis."""
        return self.array.shape

    def load(self):
        """The voxels, as a read-only view."""
        view = self.array.view()
        view.flags.writeable = False
        return view

    def covered(self):
        """Voxels that hold a measurement: all, or none for a missing contrast."""
        return np.bool_(not np.isnan(self.array).all())


@dataclass(frozen=True, eq=False)
class Missing:
    """A contrast the subject does not have: NaN everywhere."""

    shape: tuple
    where: str = "a missing contrast"

    def load(self):
        """NaN, float32 of shape `shape`."""
        return np.full(self.shape, np.nan, dtype=np.float32)

    def covered(self):
        """No voxel holds a measurement."""
        return np.False_


class Cached:
    """A source that is read once and then kept, for as long as it is in use.

    Parameters
    ----------
    source : source
    """

    def __init__(self, source):
        self.source = source
        self.shape, self.where = source.shape, source.where
        self._voxels = None

    def load(self):
        """The voxels of the source, as a read-only view."""
        if self._voxels is None:
            self._voxels = np.asanyarray(self.source.load())
        view = self._voxels.view()
        view.flags.writeable = False
        return view

    def covered(self):
        """As the source has it."""
        return self.source.covered()
