"""Images of one subject onto the grid of the first one, and what their headers leave in doubt."""

import numpy as np

from skad.io.errors import VolumeReadError
from skad.io.regrid import SAME_GRID_VOXELS, SMALLEST_OVERLAP, distance, onto, overlap, same_affine, same_grid


class _As:
    """An image with another of the affines that its header states."""

    def __init__(self, image, affine):
        self.affine, self.shape = affine, image.shape


def check_forms(image):
    """What a header leaves in doubt about the place of its own image.

    Parameters
    ----------
    image : NiftiFile

    Returns
    -------
    list of str
        Sentences without a full stop.

    Raises
    ------
    VolumeReadError
        sform and qform contradict each other about which side is left.
    """
    name, forms = image.path.name, image.forms
    notes = [f"{name}: {note}" for note in image.notes]
    if not forms:
        return [
            *notes,
            f"{name} has neither a qform nor an sform, so that its place, and which side is left, are "
            "guesses from its voxel size",
        ]
    if len(forms) == 2:
        sform, qform = (_As(image, forms[each]) for each in ("sform", "qform"))
        if not same_affine(sform, qform):
            if np.linalg.det(sform.affine[:3, :3]) * np.linalg.det(qform.affine[:3, :3]) < 0:
                raise VolumeReadError(
                    f"{image.path} has an sform and a qform that mirror each other, so that left and right "
                    "are in doubt: repair the wrong one, or set its code to 0."
                )
            apart = _corner_shift(image, sform, qform)
            notes.append(
                f"{name} has a qform that differs from its sform by {apart:.1f} mm; the sform is used"
            )
    return notes


def place(first, image, *, kind):
    """An image as a source on the grid of the first one.

    Parameters
    ----------
    first, image : NiftiFile
    kind : {"image", "labels", "mask"}
        Images are interpolated with cubic splines, labels and masks by nearest neighbor.

    Returns
    -------
    source
    notes : list of str
        What was assumed, with distances in mm.

    Raises
    ------
    VolumeReadError
        Names both files: shapes or fields of view that disagree, a place that would be a guess.
    """
    order = 3 if kind == "image" else 0
    if same_grid(first, image):
        return image, []
    _check_known(first, image)
    if same_affine(first, image):
        raise VolumeReadError(
            f"{first.path} and {image.path} have the same affine but shapes {first.shape} and {image.shape}: "
            "one header is wrong or was copied, resample one onto the other."
        )
    apart = distance(first, image)
    if kind != "image" and (forms := _shared_grid(first, image)):
        return image, [
            f"{image.path.name} lies on the {forms[0]} of {first.path.name} by its {forms[1]}, but "
            f"{apart:.1f} mm off by the sform; it is taken voxel by voxel"
        ]
    if overlap(first, image) < SMALLEST_OVERLAP:
        raise VolumeReadError(
            f"{first.path} and {image.path} show different regions (less than {SMALLEST_OVERLAP:.0%} of the "
            "smaller field of view is shared): check their affines, or co-register them."
        )
    source = onto(first, image, order, labels=kind == "labels")
    return source, [] if _only_stored_otherwise(first, image, apart) else [
        f"{image.path.name} lies on another grid than {first.path.name}, with fields of view up to "
        f"{apart:.1f} mm apart, and is resampled onto it as if the patient had not moved"
    ]


def _check_known(first, image):
    for guessed, other in ((first, image), (image, first)):
        if not guessed.forms:
            raise VolumeReadError(
                f"{guessed.path} has neither a qform nor an sform, and {other.path} lies elsewhere than it "
                "would be guessed to, so that one could be mirrored: copy the geometry if their voxels "
                "correspond, for example with fslcpgeom, or convert the file again."
            )


def _shared_grid(first, image):
    """The two forms by which images of one shape share their voxels, where there are any."""
    if first.shape != image.shape:
        return None
    for ours, affine in first.forms.items():
        for theirs, other in image.forms.items():
            if same_affine(_As(first, affine), _As(image, other)):
                return ours, theirs
    return None


def _only_stored_otherwise(first, image, apart):
    smallest = min(np.linalg.norm(first.affine[:3, :3], axis=0))
    return apart < SAME_GRID_VOXELS * smallest and sorted(first.shape) == sorted(image.shape)


def _corner_shift(image, first, second):
    """How far the two affines move a corner of the image apart, mm."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in image.shape])).reshape(3, -1)
    moved = [each.affine[:3, :3] @ corners + each.affine[:3, 3:] for each in (first, second)]
    return float(np.linalg.norm(moved[0] - moved[1], axis=0).max())
