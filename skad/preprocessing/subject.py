"""The steps of the preprocessing, one after the other, for one volume."""

import warnings
from dataclasses import dataclass

import numpy as np

from skad.preprocessing.crop import Cropping
from skad.preprocessing.foreground_resampling import ForegroundResampling
from skad.preprocessing.mask import foreground
from skad.preprocessing.reorient import Reorientation
from skad.preprocessing.resample import Resampling
from skad.preprocessing.resize import Resizing
from skad.preprocessing.stack import PackedMask, Placement

LONGEST_AXIS = 2048  # voxels; the weights of an interpolation take memory and time by its square

FRAMINGS = {"resize": Resizing, "crop": Cropping}


@dataclass(frozen=True, eq=False)
class AxialImages:
    """The contrasts of one volume as axial slices on its native grid, and their foreground.

    Attributes
    ----------
    images : dict of str to float32 array of shape (n_slices, rows, columns)
        Without the contrasts the subject does not have.
    mask : bool array of shape (n_slices, rows, columns)
    reorientation : Reorientation
    """

    images: dict
    mask: np.ndarray
    reorientation: Reorientation

    def in_foreground(self, contrast):
        """Intensities of a contrast in the foreground, float32 of shape (n_voxels,)."""
        return self.images[contrast][self.mask]


def check_size(volume, *, voxel_size, max_voxels):
    """Refuse a volume that is too large as stored or at the new voxel size, before a voxel is read.

    Parameters
    ----------
    volume : Volume
    voxel_size : tuple of 3 float or None
        Of slices, rows and columns, mm; None keeps the volume's own.
    max_voxels : int

    Raises
    ------
    ValueError
        Names the subject and the size.
    """
    along = Reorientation.to_axial(volume.affine).along_slices
    shape, spacing = np.array(along(volume.shape), float), np.array(along(volume.voxel_size))
    resampled = np.ceil(shape * spacing / (spacing if voxel_size is None else voxel_size))
    for size, what in ((shape, "as stored"), (resampled, f"at a voxel size of {voxel_size} mm")):
        if size.max() > LONGEST_AXIS:
            raise ValueError(
                f"Subject {volume.subject!r} has {size.max():.4g} voxels along an axis {what}, more than "
                f"{LONGEST_AXIS}: check its header, or take a larger voxel_size."
            )
        if not size.prod() <= max_voxels:
            raise ValueError(
                f"Subject {volume.subject!r} has {'x'.join(f'{n:.4g}' for n in size)} voxels {what}, more "
                f"than max_voxels={max_voxels}: check its header, or take a larger voxel_size or max_voxels."
            )


def read_axial(volume, contrasts, mask):
    """Read the contrasts of a volume and find its foreground.

    Parameters
    ----------
    volume : Volume
    contrasts : sequence of str
    mask : {"auto", "given", "nonzero", "otsu"} or None

    Returns
    -------
    AxialImages

    Raises
    ------
    ValueError
        Names the subject: a contrast it lacks, no contrast that is not missing, no foreground.
    """
    _check_contrasts(volume, contrasts)
    reorientation = Reorientation.to_axial(volume.affine)
    images = {name: reorientation.forward(volume.contrasts[name]) for name in contrasts}
    images = {name: image for name, image in images.items() if not np.isnan(image).all()}
    if not images:
        raise ValueError(f"Subject {volume.subject!r} has none of the contrasts {', '.join(contrasts)}.")
    given = reorientation.forward(volume.mask) if volume.has_mask and mask in ("auto", "given") else None
    try:
        found = foreground(list(images.values()), given, method=mask)
    except ValueError as error:
        raise ValueError(f"Subject {volume.subject!r} {error}") from error
    if not found.any():
        raise ValueError(
            f"Subject {volume.subject!r}{_files(volume, 'mask', *images)} has no foreground voxel with "
            f"mask={mask!r}: check its images and its mask."
        )
    return AxialImages(images, found, reorientation)


def normalizers(volume, axial, contrasts, fit_one):
    """The intensity map of each contrast of one subject.

    Parameters
    ----------
    volume : Volume
    axial : AxialImages
    contrasts : sequence of str
    fit_one : callable
        ``(contrast's index, foreground intensities) -> IntensityMap or landmarks``.

    Returns
    -------
    dict
        By contrast, without the missing ones.

    Raises
    ------
    ValueError
        Names the subject and the contrast that is constant.
    """
    found = {}
    for index, name in enumerate(contrasts):
        if name in axial.images:
            try:
                found[name] = fit_one(index, axial.in_foreground(name))
            except ValueError as error:
                raise ValueError(
                    f"{name} of subject {volume.subject!r}{_files(volume, name)} {error}"
                ) from error
    return found


def place(volume, axial, intensities, *, voxel_size, size, size_mode):
    """How the slices lie in the volume: all steps with their numbers filled in."""
    reorientation = axial.reorientation
    shape, spacing = reorientation.along_slices(volume.shape), reorientation.along_slices(volume.voxel_size)
    resampling = Resampling.to_spacing(shape, spacing, voxel_size)
    framing = FRAMINGS[size_mode](resampling.new_shape[1:], resampling.new_spacing[1:], tuple(size))
    return Placement(reorientation, resampling, framing, PackedMask.pack(axial.mask), intensities)


def to_slices(volume, axial, placement, contrasts):
    """Normalized slices of all contrasts.

    Parameters
    ----------
    volume : Volume
    axial : AxialImages
    placement : Placement
    contrasts : sequence of str

    Returns
    -------
    float32 array of shape (n_slices, n_contrasts, height, width)
        NaN in the background and in missing contrasts.

    Warns
    -----
    UserWarning
        Cropping cuts foreground away.
    """
    inside = ForegroundResampling(placement.resampling, axial.mask)
    if placement.framing.cuts(inside.mask):
        warnings.warn(
            f"Cropping slices to {placement.framing.size} cuts off foreground of subject {volume.subject!r}: "
            "choose a larger size, a larger voxel_size, or size_mode='resize'.",
            stacklevel=2,
        )
    X = np.full(
        (placement.resampling.new_shape[0], len(contrasts), *placement.framing.size), np.nan, dtype=np.float32
    )
    for index, name in enumerate(contrasts):
        if name in axial.images:
            values = inside.forward(axial.images[name])
            if name in placement.intensities:
                values = placement.intensities[name].forward(values)
            X[:, index] = placement.framing.forward(inside.on_grid(values))
    return X


def to_label_slices(volume, placement):
    """Labels of all slices, int16 of shape (n_slices, height, width)."""
    labels = placement.reorientation.forward(volume.labels.astype(np.int16))
    return placement.framing.forward_labels(placement.resampling.forward_labels(labels))


def _files(volume, *names):
    """In brackets, the first of the named files that is known."""
    known = volume.info.get("paths", {})
    return next((f" ({known[name]})" for name in names if name in known), "")


def _check_contrasts(volume, contrasts):
    for name in contrasts:
        if name not in volume.contrasts:
            raise ValueError(
                f"Subject {volume.subject!r} has no contrast {name!r}, only {', '.join(volume.contrasts)}: "
                "add the image or leave the subject out."
            )
