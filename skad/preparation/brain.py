"""Where the brain is: a template laid over the head, or a mask that the user has."""

from dataclasses import replace
from functools import lru_cache
from os import PathLike
from typing import NamedTuple

import numpy as np
from nilearn import datasets
from nilearn.image import get_data
from scipy import ndimage

from skad.io import VolumeReadError
from skad.io.nifti import open_nifti
from skad.io.sources import InMemory
from skad.preparation.itk import centre_of, find_motion, load_simpleitk
from skad.preparation.sources import Original
from skad.preparation.step import VolumeStep, changed, contrast_of

RIM = 8.0  # mm around the template's brain that still count: the dark gap to the skull tells its edge (we)
TEMPLATE_VOXEL = 2  # mm
# Where a search may begin: the centre of a head lies below that of its brain, the more neck was scanned (we).
STARTS = tuple((0.0, y, z) for y in (-10.0, 10.0) for z in (-10.0, 10.0, 30.0, 50.0))


class Grid(NamedTuple):
    """Voxels and where they are."""

    shape: tuple
    affine: np.ndarray


class BrainExtract(VolumeStep):
    """Give each volume a brain mask; intensities stay as they are, and maps stay on the volume's grid.

    Parameters
    ----------
    contrast : str, default=None
        The contrast that is compared with the template, or that the user's masks were drawn on. None is the
        volume's first; T1-weighted ones are closest to the template.
    masks : path-like, default=None
        Masks the user has, from HD-BET or SynthStrip for example, with ``{subject}`` where the subject's name
        goes: "masks/{subject}.nii.gz". A mask lies on the file of `contrast` and moves with it. None lays the
        MNI152 2009a template that ships with nilearn over the head with 12 degrees of freedom.

    Notes
    -----
    The template was seen to find simulated heads and to miss a real one (5.5 mm slices, head tilted): look
    at its masks, or give those of HD-BET or SynthStrip.

    References
    ----------
    Fonov, Evans, McKinstry, Almli, Collins (2009). Unbiased nonlinear average age-appropriate brain
    templates from birth to adulthood. NeuroImage 47.

    Examples
    --------
    >>> from skad.preparation import BrainExtract
    >>> BrainExtract().fit_transform(volumes)[0].mask.shape  # doctest: +SKIP
    (256, 224, 26)
    >>> BrainExtract("T1w", masks="hd-bet/{subject}_T1w_bet.nii.gz").fit_transform(volumes)  # doctest: +SKIP
    """

    _parameter_constraints = {"contrast": [str, None], "masks": [str, PathLike, None]}

    def __init__(self, contrast=None, *, masks=None):
        self.contrast = contrast
        self.masks = masks

    def _prepare(self, volume):
        name = next(iter(volume.contrasts)) if self.contrast is None else self.contrast
        voxels = contrast_of(volume, name)
        if self.masks is None:
            return changed(volume, mask=template_mask(voxels, volume.affine))
        return changed(volume, mask=self._given(volume, name))

    def _given(self, volume, name):
        path = str(self.masks).replace("{subject}", volume.subject)
        original = volume.info["originals"][name] if "originals" in volume.info else Original.of(volume, name)
        image = open_nifti(path)
        mask = replace(original, source=image, affine=image.affine).on(volume, order=0)
        if not (mask.load() > 0.5).any():
            raise VolumeReadError(
                f"{path} has no brain where {name} of subject {volume.subject!r} is: give the mask of {name}."
            )
        return mask

    def _check(self, volumes):
        volumes = super()._check(volumes)
        if self.masks is not None and "{subject}" not in str(self.masks) and len(volumes) > 1:
            raise ValueError(
                f"masks should have {{subject}} where the subject's name goes, got {str(self.masks)!r} for "
                f"{len(volumes)} volumes."
            )
        return volumes


def template_mask(voxels, affine):
    """The template's brain mask laid over a head, as a source on the head's grid.

    Parameters
    ----------
    voxels : float array of shape (nx, ny, nz)
        A head, with or without skull.
    affine : array of shape (4, 4)
    """
    load_simpleitk()
    image, mask, placed = load_template()
    rim = ndimage.binary_dilation(mask, iterations=round(RIM / TEMPLATE_VOXEL))
    offset = centre_of(voxels, affine) - centre_of(mask, placed)
    starts = [_shift(offset + shift) for shift in STARTS]
    motion = find_motion((image, placed), (voxels, affine), motion="affine", mask=rim, starts=starts)
    brain = Original(InMemory(mask, "the template's brain"), placed, None, np.linalg.inv(motion))
    return brain.on(Grid(voxels.shape, affine), order=0)


@lru_cache(maxsize=1)
def load_template():
    """The T1-weighted MNI152 2009a template without skull, its brain mask and their affine."""
    image = datasets.load_mni152_template(resolution=TEMPLATE_VOXEL)
    mask = datasets.load_mni152_brain_mask(resolution=TEMPLATE_VOXEL)
    return get_data(image), get_data(mask) > 0, image.affine


def _shift(mm):
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix
