"""One NIfTI file: its header, checked at once, and its voxels, read when asked for."""

import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from nibabel.volumeutils import apply_read_scaling

from skad.io.content import read_head, read_part
from skad.io.errors import VolumeReadError
from skad.io.header import HEAD_BYTES, MAX_VOXELS, parse_header, short

UNREADABLE = (OSError, EOFError, zlib.error, ValueError)


@dataclass(frozen=True, eq=False)
class NiftiFile:
    """A 3-D NIfTI file whose header has been checked and whose voxels stay on disk.

    Attributes
    ----------
    path : pathlib.Path
    shape : tuple of 3 int
    affine : ndarray of shape (4, 4)
        Voxel indices to mm.
    header : dict
        Header fields that place the voxels in space, see `skad.io.header.GEOMETRY_FIELDS`.
    forms : dict of str to ndarray of shape (4, 4)
        Affines that the header states: "sform", "qform", both or none.
    notes : tuple of str
        What was mended in the header.
    """

    path: Path
    shape: tuple
    affine: np.ndarray
    header: dict = field(repr=False)
    forms: dict = field(repr=False, default_factory=dict)
    notes: tuple = field(repr=False, default=())

    @property
    def where(self):
        """The file's name for messages."""
        return str(self.path)

    def load(self):
        """Voxels as stored (integers stay integers unless the header scales them), shape `shape`."""
        head_at, voxels_at = files_of(self.path)
        head = _head(head_at, self.path)
        header = parse_header(head, self.path, max_voxels=math.prod(self.shape))
        if header.shape != self.shape:
            raise VolumeReadError(f"{self.path} changed while it was in use: load the folder again.")
        n_bytes = math.prod(header.shape) * header.dtype.itemsize
        try:
            content = read_part(head_at if header.single else voxels_at, header.offset, n_bytes)
        except UNREADABLE as error:
            raise VolumeReadError(
                f"{self.path} is damaged and its voxels cannot be read ({short(error)}): "
                "copy or convert it again."
            ) from error
        except MemoryError as error:
            raise VolumeReadError(
                f"{self.path} has voxels of {n_bytes / 2**30:.1f} GiB, which do not fit into memory: "
                "resample it, or use a larger machine."
            ) from error
        voxels = np.frombuffer(content, header.dtype).reshape(header.shape, order="F")
        with np.errstate(all="ignore"):  # what is not finite is found where it matters
            return voxels if header.scaling is None else apply_read_scaling(voxels, *header.scaling)

    def covered(self):
        """Voxels that hold a measurement: all of them."""
        return np.True_


def open_nifti(path, max_voxels=MAX_VOXELS):
    """Check the header of a NIfTI file without reading its voxels.

    Parameters
    ----------
    path : str or path-like
        A .nii or .nii.gz file (or an .hdr/.img pair) with one 3-D image; trailing axes of length 1 are
        dropped. Whether it is compressed is told by its first bytes.
    max_voxels : int, default=2**29
        An image whose header promises more is refused.

    Returns
    -------
    NiftiFile

    Raises
    ------
    VolumeReadError
        Missing file, not NIfTI, not 3-D, too large, voxels that are not real numbers, or an affine that
        places no voxel.
    """
    path = Path(path)
    if not path.is_file():
        raise VolumeReadError(
            f"{path} is a link to a file that does not exist: fetch it, for example with `datalad get`."
            if path.is_symlink()
            else f"{path} does not exist: check the path."
        )
    header = parse_header(_head(files_of(path)[0], path), path, max_voxels)
    return NiftiFile(path, header.shape, header.affine, header.fields, header.forms, header.notes)


def _head(head_at, path):
    try:
        return read_head(head_at, HEAD_BYTES)
    except UNREADABLE as error:
        raise VolumeReadError(
            f"{path} is not a readable NIfTI file ({short(error)}): "
            "convert it to .nii.gz, for example with dcm2niix."
        ) from error


def files_of(path):
    """Where the header of a file is and, of a pair, where the voxels are."""
    for head, voxels in ((".hdr", ".img"), (".HDR", ".IMG")):
        for packed in ("", ".gz"):
            for ending in (head + packed, voxels + packed):
                if path.name.endswith(ending):
                    stem = path.name.removesuffix(ending)
                    return path.with_name(stem + head + packed), path.with_name(stem + voxels + packed)
    return path, path
