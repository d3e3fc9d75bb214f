"""The MNI152 template: its head, its brain, and where they lie on a patient."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from nilearn import datasets
from nilearn.image import get_data
from scipy import ndimage

from skad.io.sources import InMemory
from skad.preparation.itk import center_of, find_motion, load_simpleitk
from skad.preparation.sources import Original

RIM = 8.0  # mm around the template's brain that still count: the dark gap to the skull tells its edge (we)
TEMPLATE_VOXEL = 2  # mm
# Where a search may begin: the center of a head lies below that of its brain, the more neck was scanned (we).
STARTS = tuple((0.0, y, z) for y in (-10.0, 10.0) for z in (-10.0, 10.0, 30.0, 50.0))


class Grid(NamedTuple):
    """Voxels and where they are."""

    shape: tuple
    affine: np.ndarray


def template_mask(voxels, affine):
    """The template's brain mask laid over a head, as a source on the head's grid.

    Parameters
    ----------
    voxels : float array of shape (nx, ny, nz)
        A head, with or without skull.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    """
    load_simpleitk()
    image, mask, placed = load_template()
    rim = ndimage.binary_dilation(mask, iterations=round(RIM / TEMPLATE_VOXEL))
    offset = center_of(voxels, affine) - center_of(mask, placed)
    starts = [_shift(offset + shift) for shift in STARTS]
    motion = find_motion((image, placed), (voxels, affine), motion="affine", mask=rim, starts=starts)
    brain = Original(InMemory(mask, "the template's brain"), placed, None, np.linalg.inv(motion))
    return brain.on(Grid(voxels.shape, affine), order=0)


def motion_from_template(voxels, mask, affine):
    """The affine motion, shape (4, 4), from points of MNI space to points of a patient, both mm.

    Brain is compared with brain, so that neck and scalp have no say.

    Parameters
    ----------
    voxels : float array of shape (nx, ny, nz)
        The patient.
    mask : bool array of shape (nx, ny, nz)
        The patient's brain.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    """
    image, brain, placed = load_template()
    start = _shift(center_of(mask, affine) - center_of(brain, placed))
    moving = (np.where(mask, voxels, 0), affine)
    return find_motion(
        (np.where(brain, image, 0), placed), moving, motion="affine", mask=brain, starts=[start]
    )


def template_grid(voxel_size):
    """The template's field of view in voxels of `voxel_size` mm, axes along right, anterior, superior."""
    _, mask, affine = load_template()
    scale = voxel_size / TEMPLATE_VOXEL
    shape = tuple(int(np.ceil(n / scale)) for n in mask.shape)
    placed = affine @ np.diag([scale, scale, scale, 1.0])
    placed[:3, 3] += affine[:3, :3] @ np.full(3, (scale - 1) / 2)  # the outer faces stay where they are
    return Grid(shape, placed)


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
