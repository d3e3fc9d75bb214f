"""Maps to NIfTI images on the subject's own grid."""

import gzip
from pathlib import Path
from typing import TypeAlias

import nibabel
import numpy as np

from skad.io.errors import VolumeWriteError
from skad.io.volume import Volume
from skad.utils.files import WriteError, written_whole
from skad.utils.typing import Array, PathLike

NiftiImage: TypeAlias = nibabel.Nifti1Image  # and its subclass for NIfTI-2
OUTSIDE = {"nan": np.nan, "zero": 0.0}
_COMPRESSION = 1  # as nibabel has it: scores hardly compress further


def to_image(array: Array, volume: Volume, *, outside: str = "nan", description: str = "") -> NiftiImage:
    """Convert a map to a NIfTI image on the grid of its volume.

    Parameters
    ----------
    array : array of shape `volume.shape`
        A map on the volume's own grid, NaN outside the foreground.
    volume : Volume
        Gives affine, qform and sform with their codes, and units.
    outside : {"nan", "zero"}, default="nan"
        What NaN becomes. Some viewers cannot show NaN, but a zero cannot be told from a score of zero.
    description : str, default=""
        Description for the header, which holds its first 79 characters.

    Returns
    -------
    nibabel.Nifti1Image (Nifti2Image for a NIfTI-2 input)
        Of type float32.

    Raises
    ------
    ValueError
        The map is not on the volume's grid, or `outside` is unknown.

    See Also
    --------
    skad.io.write_map : Writes the map to a file.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume, to_image
    >>> volume = Volume({"T1w": np.ones((7, 8, 9))}, np.diag([-2.0, 2, 3, 1]))
    >>> to_image(np.zeros((7, 8, 9)), volume).shape
    (7, 8, 9)
    """
    if outside not in OUTSIDE:
        raise ValueError(f"outside should be one of {', '.join(OUTSIDE)}, got {outside!r}.")
    array = np.asarray(array, dtype=np.float32)
    if array.shape != volume.shape:
        raise ValueError(
            f"A map of subject {volume.subject!r} should have its shape {volume.shape}, got {array.shape}."
        )
    if outside != "nan":
        array = np.where(np.isnan(array), np.float32(OUTSIDE[outside]), array)
    image = _with_geometry(array, volume)
    image.header["descrip"] = description[:79]
    return image


def _with_geometry(array, volume):
    if volume.header is None:
        image = nibabel.Nifti1Image(array, volume.affine)
        image.header.set_xyzt_units("mm")
        return image
    fields = volume.header
    kind = nibabel.Nifti2Image if int(fields["sizeof_hdr"]) == 540 else nibabel.Nifti1Image
    header = kind.header_class()
    header.set_data_shape(array.shape)
    header.set_data_dtype(np.float32)
    for name, value in fields.items():
        header[name] = value
    header["pixdim"][4:] = 1
    # nibabel rewrites the forms only where the affine differs from the header's, so an unchanged one stays
    # exact
    return kind(array, volume.affine, header)


def write_map(array: Array, volume: Volume, path: PathLike, *, outside: str = "nan") -> Path:
    """Write a map on the grid of its volume; the file appears complete or not at all.

    Parameters
    ----------
    array : array of shape `volume.shape`
        The map, NaN outside the foreground.
    volume : Volume
        The subject the map belongs to.
    path : path-like
        Ends in .nii.gz or .nii; missing folders are created.
    outside : {"nan", "zero"}, default="nan"
        What NaN becomes.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    VolumeWriteError
        The name is not NIfTI's, or the folder cannot be written.

    See Also
    --------
    skad.io.to_image : The same without writing.
    skad.derivatives.Derivative : A folder of maps with their metadata.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.io import Volume, write_map
    >>> volume = Volume({"T1w": np.ones((7, 8, 9))}, np.eye(4))
    >>> write_map(np.zeros((7, 8, 9)), volume, f"{tempfile.mkdtemp()}/map.nii.gz").name
    'map.nii.gz'
    """
    return save_image(to_image(array, volume, outside=outside), path)


def save_image(image: NiftiImage, path: PathLike) -> Path:
    """Write a NIfTI image; the file appears complete or not at all.

    Parameters
    ----------
    image : nibabel.Nifti1Image
        The image.
    path : path-like
        Ends in .nii.gz or .nii; missing folders are created.

    Returns
    -------
    pathlib.Path
        The file written.

    Raises
    ------
    VolumeWriteError
        The name is not NIfTI's, or the folder cannot be written.

    See Also
    --------
    skad.io.to_image : Makes the image of a map.
    skad.io.write_map : Writes a map.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.io import Volume, save_image, to_image
    >>> volume = Volume({"T1w": np.ones((7, 8, 9))}, np.eye(4))
    >>> save_image(to_image(np.zeros((7, 8, 9)), volume), f"{tempfile.mkdtemp()}/map.nii.gz").name
    'map.nii.gz'
    """
    path = Path(path)
    content = image_bytes(image, path)
    try:
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
    except WriteError as error:
        raise VolumeWriteError(str(error)) from error
    return path


def image_bytes(image: NiftiImage, path: Path) -> bytes:
    """Content of the file of an image: compressed where `path` ends in .nii.gz; equal images, equal bytes.

    Raises
    ------
    VolumeWriteError
        The name is not NIfTI's.
    """
    if path.name.endswith(".nii.gz"):
        return gzip.compress(image.to_bytes(), _COMPRESSION, mtime=0)
    if path.name.endswith(".nii"):
        return image.to_bytes()
    raise VolumeWriteError(f"{path} should end in .nii.gz or .nii: rename it.")
