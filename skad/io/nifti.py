"""One NIfTI file: its header, checked at once, and its voxels, read when asked for."""

import gzip
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np

from skad.io.errors import VolumeReadError

# Everything a viewer needs to place a voxel. The rest of a header (display window, data type, scaling, free
# text, extensions with patient data) describes the input's intensities and must not travel to a map.
GEOMETRY_FIELDS = (
    "sizeof_hdr pixdim xyzt_units qform_code sform_code quatern_b quatern_c quatern_d "
    "qoffset_x qoffset_y qoffset_z srow_x srow_y srow_z"
).split()

UNREADABLE = (OSError, EOFError, zlib.error, ValueError, nibabel.filebasedimages.ImageFileError)


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
        Header fields that place the voxels in space, see `GEOMETRY_FIELDS`.
    """

    path: Path
    shape: tuple
    affine: np.ndarray
    header: dict = field(repr=False)

    @property
    def where(self):
        """The file's name for messages."""
        return str(self.path)

    def load(self):
        """Voxels as stored (integers stay integers unless the header scales them), shape `shape`."""
        try:
            voxels = np.asanyarray(self._image().dataobj)
        except UNREADABLE as error:
            raise VolumeReadError(
                f"{self.path} is damaged and its voxels cannot be read ({_short(error)}): "
                "copy or convert it again."
            ) from error
        if voxels.size != np.prod(self.shape):
            raise VolumeReadError(f"{self.path} changed while it was in use: load the folder again.")
        return voxels.reshape(self.shape)

    def _image(self):
        image = nibabel.load(self.path, mmap=False)
        if self.path.name.lower().endswith(".nii.gz"):
            # nibabel stops at the last voxel, before the checksum that tells damaged files
            return type(image).from_bytes(gzip.decompress(self.path.read_bytes()))
        return image

    def covered(self):
        """Voxels that hold a measurement: all of them."""
        return np.True_


def open_nifti(path):
    """Check the header of a NIfTI file without reading its voxels.

    Parameters
    ----------
    path : str or path-like
        A .nii or .nii.gz file (or an .hdr/.img pair) with one 3-D image; trailing axes of length 1 are
        dropped.

    Returns
    -------
    NiftiFile

    Raises
    ------
    VolumeReadError
        Missing file, not NIfTI, not 3-D, voxels that are not real numbers, or an affine that places no voxel.
    """
    path = Path(path)
    if not path.is_file():
        raise VolumeReadError(f"{path} does not exist: check the path.")
    try:
        image = nibabel.load(path)
    except UNREADABLE as error:
        raise VolumeReadError(
            f"{path} is not a readable NIfTI file ({_short(error)}): "
            "convert it to .nii.gz, for example with dcm2niix."
        ) from error
    if not isinstance(image, nibabel.Nifti1Pair):
        raise VolumeReadError(f"{path} is {type(image).__name__}, not NIfTI: convert it to .nii.gz.")
    shape = _three_axes(image.shape, path)
    _check_numbers(image.get_data_dtype(), path)
    affine = _invertible(image.affine, path)
    return NiftiFile(path, shape, affine, {name: np.array(image.header[name]) for name in GEOMETRY_FIELDS})


def _three_axes(shape, path):
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or 0 in shape:
        raise VolumeReadError(
            f"{path} should hold one 3-D image, but its shape is {shape}: "
            "extract the volume you want, for example with nilearn.image.index_img."
        )
    return tuple(int(n) for n in shape)


def _check_numbers(dtype, path):
    if dtype.kind not in "biuf":
        raise VolumeReadError(
            f"{path} should hold real numbers, but its voxels are {dtype}: convert it first."
        )


def _invertible(affine, path):
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise VolumeReadError(
            f"{path} has an affine that is not finite and invertible: "
            "repair its qform or sform, or convert it again."
        )
    return affine


def _short(error):
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
