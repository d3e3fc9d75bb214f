"""The header of a NIfTI file, checked before anything is allocated for its voxels."""

import math
import struct
from dataclasses import dataclass

import nibabel
import numpy as np

from skad.io.errors import VolumeReadError

HEAD_BYTES = 540  # of NIfTI-2; NIfTI-1 has 348
# We: 537 million voxels, 2 GiB as float32; a head at 0.5 mm has 134 million.
MAX_VOXELS = 2**29
VOXEL_SIZES = (1e-4, 1e3)  # mm; an edge beyond has lost its unit
FARTHEST = 1e5  # mm from the origin

# Everything a viewer needs to place a voxel. The rest of a header (display window, data type, scaling, free
# text, extensions with patient data) describes the input's intensities and must not travel to a map.
GEOMETRY_FIELDS = (
    "sizeof_hdr pixdim xyzt_units qform_code sform_code quatern_b quatern_c quatern_d "
    "qoffset_x qoffset_y qoffset_z srow_x srow_y srow_z"
).split()

# size of the header: where its magic string begins; the magic string: header class, voxels in the same file
_MAGIC_AT = {348: 344, 540: 4}
_KINDS = {
    b"n+1\0": (nibabel.Nifti1Header, True),
    b"ni1\0": (nibabel.nifti1.Nifti1PairHeader, False),
    b"n+2\0": (nibabel.Nifti2Header, True),
    b"ni2\0": (nibabel.nifti2.Nifti2PairHeader, False),
}


@dataclass(frozen=True, eq=False)
class Header:
    """What a NIfTI header says of the voxels.

    Attributes
    ----------
    shape : tuple of 3 int
    dtype : numpy.dtype
        As stored.
    offset : int
        Bytes before the first voxel.
    scaling : tuple of 2 float, or None
        Slope and intercept.
    affine : ndarray of shape (4, 4)
        Voxel indices to mm, from the sform, else from the qform, else a guess from the voxel size.
    forms : dict of str to ndarray of shape (4, 4)
        Affines that the header states: "sform", "qform", both or none.
    fields : dict
        See `GEOMETRY_FIELDS`.
    single : bool
        Whether the voxels are in the same file.
    notes : tuple of str
        What was mended in the header.
    """

    shape: tuple
    dtype: np.dtype
    offset: int
    scaling: tuple | None
    affine: np.ndarray
    forms: dict
    fields: dict
    single: bool
    notes: tuple


class _Repairs:
    """Collects what nibabel mends in a header, in place of a logger."""

    def __init__(self):
        self.texts = []

    def log(self, level, text):
        if level >= 30:  # below are matters of style
            self.texts.append(text.split(";")[0])


def parse_header(head, path, max_voxels=MAX_VOXELS):
    """Read and check a header.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` of the file.
    path : pathlib.Path
        For messages.
    max_voxels : int
        More are refused.

    Returns
    -------
    Header

    Raises
    ------
    VolumeReadError
        Not NIfTI, not 3-D, too large, voxels that are not real numbers, or an affine that places no voxel.
    """
    try:
        header, single, notes = _parse(head)
        shape = header.get_data_shape()
        dtype = header.get_data_dtype()
        offset = header.get_data_offset()
        slope, intercept = header.get_slope_inter()
        affine, forms = _affines(header)
        fields = {name: np.array(header[name]) for name in GEOMETRY_FIELDS}
    except Exception as error:  # a parser of another library, on bytes that may be anything
        raise VolumeReadError(
            f"{path} is not a readable NIfTI file ({short(error)}): "
            "convert it to .nii.gz, for example with dcm2niix."
        ) from error
    shape = _three_axes(shape, path, max_voxels)
    _check_numbers(dtype, path)
    if offset < (header.single_vox_offset if single else 0):
        raise VolumeReadError(f"{path} has its voxels at byte {offset}, inside the header: convert it again.")
    _check_affine(affine, path)
    scaling = None if slope is None or (slope, intercept) == (1, 0) else (slope, intercept)
    return Header(shape, dtype, offset, scaling, affine, forms, fields, single, notes)


def short(error):
    """The first line of an error, without its full stop, or its kind."""
    return str(error).splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def _parse(head):
    for order in "<>":
        (size,) = struct.unpack(f"{order}i", head[:4]) if len(head) >= 4 else (0,)
        at = _MAGIC_AT.get(size)
        if at is not None and len(head) >= size and head[at : at + 4] in _KINDS:
            kind, single = _KINDS[head[at : at + 4]]
            header = kind(head[:size], endianness=order, check=False)
            repairs = _Repairs()
            header.check_fix(logger=repairs, error_level=40)
            return header, single, tuple(repairs.texts)
    raise ValueError("it does not begin with a NIfTI header")


def _affines(header):
    """The affine of a header, as nibabel chooses it, and those that the header states."""
    forms = {}
    with np.errstate(all="ignore"):
        for name in ("sform", "qform"):
            if int(header[f"{name}_code"]) > 0:
                try:
                    forms[name] = getattr(header, f"get_{name}")()
                except nibabel.spatialimages.HeaderDataError:  # a quaternion that is no rotation
                    if name == "qform" and "sform" not in forms:
                        raise
        return header.get_best_affine(), forms


def _three_axes(shape, path, max_voxels):
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or min(shape) < 1:
        raise VolumeReadError(
            f"{path} should hold one 3-D image, but its shape is {tuple(int(n) for n in shape)}: "
            "extract the volume you want, for example with nilearn.image.index_img."
        )
    if math.prod(map(int, shape)) > max_voxels:
        raise VolumeReadError(
            f"{path} should have at most {max_voxels} voxels, but its header declares "
            f"{'x'.join(map(str, shape))}: resample it, or raise max_voxels."
        )
    return tuple(int(n) for n in shape)


def _check_numbers(dtype, path):
    if dtype.kind not in "biuf":
        raise VolumeReadError(
            f"{path} should hold real numbers, but its voxels are {dtype}: convert it first."
        )


def _check_affine(affine, path):
    with np.errstate(all="ignore"):
        edges = np.linalg.norm(affine[:3, :3], axis=0)
        volume = abs(np.linalg.det(affine[:3, :3] / edges))
    smallest, largest = VOXEL_SIZES
    if not np.isfinite(affine).all() or not volume > 1e-6:  # axes of unit length that span nothing
        raise VolumeReadError(
            f"{path} has an affine that is not finite and invertible: "
            "repair its qform or sform, or convert it again."
        )
    if edges.min() < smallest or edges.max() > largest or np.abs(affine[:3, 3]).max() > FARTHEST:
        raise VolumeReadError(
            f"{path} should have voxels of {smallest:g} to {largest:g} mm within {FARTHEST:g} mm of the "
            f"origin, but its header says {'x'.join(f'{edge:.3g}' for edge in edges)} mm at "
            f"{affine[:3, 3].tolist()}: repair its qform or sform, or convert it again."
        )
