"""Voxels of a step's result, computed from the files at every access: nothing is kept in memory."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skad.io import Volume, to_image
from skad.io.regrid import Regridded, same_grid


@dataclass(frozen=True, eq=False)
class Part:
    """The labels or the mask of a volume, as a source of another one."""

    volume: Volume
    name: str

    @property
    def shape(self):
        """Voxels per axis."""
        return self.volume.shape

    @property
    def where(self):
        """Its name for messages."""
        files = self.volume.info.get("paths", {})
        return files.get(self.name, f"{self.name} of subject {self.volume.subject!r}")

    def load(self):
        """The voxels: int32 labels or a bool mask."""
        return getattr(self.volume, self.name)

    def covered(self):
        """All voxels."""
        return np.True_


def part(volume, name):
    """The "labels" or the "mask" of a volume as a source, or None."""
    return Part(volume, name) if getattr(volume, f"has_{name}") else None


@dataclass(frozen=True, eq=False)
class Original:
    """A contrast as it came from the scanner, and how the patient lay in it.

    Attributes
    ----------
    source : source
        Its voxels, before any interpolation.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    header : dict or None
        What places the voxels, for maps written on its grid.
    motion : array of shape (4, 4)
        Points of the common grid to points of this image, mm.
    """

    source: object
    affine: np.ndarray
    header: dict | None
    motion: np.ndarray

    @classmethod
    def of(cls, volume, name):
        """The file behind a contrast that `read_volume` may have brought onto the volume's grid."""
        source = volume.contrasts.sources[name]
        if isinstance(source, Regridded) and hasattr(source.source, "affine"):
            source = source.source
        return cls(
            source,
            getattr(source, "affine", volume.affine),
            getattr(source, "header", volume.header),
            np.eye(4),
        )

    @property
    def shape(self):
        """Voxels per axis."""
        return tuple(self.source.shape)

    def voxels(self):
        """The intensities, float32; NaN where the contrast is missing."""
        return np.asarray(self.source.load(), dtype=np.float32)

    def on(self, target, order=3):
        """A source: this image where it belongs on the grid of `target` (anything with affine and shape)."""
        if np.array_equal(self.motion, np.eye(4)) and same_grid(target, self):
            return self.source
        return Regridded(self.source, self.from_grid(target.affine), tuple(target.shape), order)

    def from_grid(self, affine):
        """Voxel indices of a common grid to voxel indices of this image, of shape (4, 4)."""
        return np.linalg.solve(self.affine, self.motion @ affine)

    def image(self, array, subject):
        """A map on the grid of this image as a NIfTI image, for a subject."""
        grid = Volume({"original": self.source}, self.affine, subject=subject, header=self.header)
        return to_image(array, grid)

    def receive(self, array, affine):
        """A map of the common grid on the grid of this image, NaN (labels: 0) where there is none.

        Floats come by linear interpolation blind to NaN, integers and bool by nearest neighbor.
        """
        matrix = np.linalg.inv(self.from_grid(affine))
        array = array.astype(np.uint8) if array.dtype == bool else array
        if array.dtype.kind != "f":
            return ndimage.affine_transform(array, matrix, output_shape=self.shape, order=0, mode="constant")
        known = ~np.isnan(array)
        total, share = (
            ndimage.affine_transform(
                values.astype(np.float32), matrix, output_shape=self.shape, order=1, mode="grid-constant"
            )
            for values in (np.where(known, array, 0), known)
        )
        return np.divide(total, share, out=np.full(self.shape, np.nan, np.float32), where=share >= 0.5)


def part_on(volume, name, grid, motion):
    """The labels or the mask of a volume where they belong on a grid, or None.

    Parameters
    ----------
    volume : Volume
    name : {"labels", "mask"}
    grid : object with shape and affine
    motion : array of shape (4, 4)
        Points of the grid to points of the volume, mm.
    """
    source = part(volume, name)
    return None if source is None else Original(source, volume.affine, None, motion).on(grid, order=0)


def to_originals(array, volume):
    """Resample a map of a prepared volume to the original grid of each contrast.

    Parameters
    ----------
    array : array of the volume's shape
        The map. Floats are interpolated linearly (NaN is background), integers and bool by nearest neighbor.
    volume : Volume
        Output of `CoRegister` or `RegisterToMNI`, or of later steps.

    Returns
    -------
    dict of str to nibabel.Nifti1Image
        One image per contrast that is not missing, with shape, affine and codes of its file, float32.

    Raises
    ------
    ValueError
        The volume was not registered.

    See Also
    --------
    skad.preparation.restore_map : The same for files.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.datasets import make_phantom
    >>> from skad.preparation import to_originals
    >>> volume, = make_phantom(1, shape=(16, 20, 8), random_state=0)
    >>> try:
    ...     to_originals(np.zeros(volume.shape), volume)
    ... except ValueError:
    ...     print("a volume that was not registered has no other grids")
    a volume that was not registered has no other grids
    """
    if "originals" not in volume.info:
        raise ValueError(
            f"Subject {volume.subject!r} was not registered: give the volumes that transform returned."
        )
    return {
        name: original.image(original.receive(array, volume.affine), volume.subject)
        for name, original in volume.info["originals"].items()
    }


@dataclass(frozen=True, eq=False)
class Flattened:
    """A contrast divided by its bias field.

    Parameters
    ----------
    source : source
    log_field : array
        Logarithm of the field on a coarse grid.
    affine : array of shape (4, 4)
        Voxel indices of the contrast to voxel indices of `log_field`.
    """

    source: object
    log_field: np.ndarray
    affine: np.ndarray

    @property
    def shape(self):
        """Voxels per axis."""
        return tuple(self.source.shape)

    @property
    def where(self):
        """The contrast's name for messages."""
        return self.source.where

    def field(self):
        """The bias field, float32 of the contrast's shape; beyond the coarse grid its last value."""
        return np.exp(
            ndimage.affine_transform(
                self.log_field, self.affine, output_shape=self.shape, order=1, mode="nearest"
            )
        )

    def load(self):
        """The contrast without its bias field, float32."""
        return np.asarray(self.source.load(), dtype=np.float32) / self.field()

    def covered(self):
        """Voxels that hold a measurement."""
        return self.source.covered()
