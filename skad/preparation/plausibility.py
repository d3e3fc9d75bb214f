"""Brain masks that cannot be right: too small, too large, in pieces, or outside the head."""

import numpy as np
from scipy import ndimage

from skad.calibration.profile import LARGEST_BRAIN_ML

SMALLEST_ML, LARGEST_ML = 800.0, LARGEST_BRAIN_ML
"""Intracranial volumes of 5-year-olds and adults, with a margin (Courchesne et al. 2000, Radiology 216)."""
WHOLE_HEAD_MM = 110.0  # along every axis; a smaller field of view does not show a whole brain
LARGEST_PIECE = 0.95  # of a mask's voxels
IN_HEAD = 0.97  # share of a mask's voxels
GAP = 2  # voxels; openings of the skull that are closed before the head is filled


def mask_warnings(mask, voxels, affine):
    """Check the volume and position of a brain mask.

    Parameters
    ----------
    mask : bool array of shape (nx, ny, nz)
        The brain.
    voxels : float array of shape (nx, ny, nz)
        The image it was found in; NaN is outside the head.
    affine : array of shape (4, 4)
        Voxel indices to mm.

    Returns
    -------
    list of str
        What is implausible, a sentence each; empty if nothing is.

    See Also
    --------
    skad.preparation.BrainExtract : Checks its masks.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((40, 40, 40), bool)
    >>> mask[18:22, 18:22, 18:22] = True
    >>> mask_warnings(mask, np.ones(mask.shape), np.diag([4, 4, 4, 1]))
    ['brain mask: 4 mL, expected 800 to 2100 mL']
    """
    if not mask.any():
        return ["brain mask: empty"]
    return [*_size(mask, affine), *_pieces(mask), *_place(mask, voxels)]


def _size(mask, affine):
    volume = mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000
    extent = np.linalg.norm(affine[:3, :3], axis=0) * mask.shape
    whole = extent.min() >= WHOLE_HEAD_MM
    if volume > LARGEST_ML or (whole and volume < SMALLEST_ML):
        return [f"brain mask: {volume:.0f} mL, expected {SMALLEST_ML:.0f} to {LARGEST_ML:.0f} mL"]
    return []


def _pieces(mask):
    pieces, n = ndimage.label(mask)
    share = np.bincount(pieces[mask]).max() / mask.sum()
    return [f"brain mask: in {n} pieces, the largest holds {share:.0%}"] if share < LARGEST_PIECE else []


def _place(mask, voxels):
    head = head_of(voxels)
    share = (mask & head).sum() / mask.sum()
    return [] if share >= IN_HEAD else [f"brain mask: {1 - share:.0%} of it lies outside the head"]


def head_of(voxels):
    """The head: brighter than Otsu's threshold of the logarithm, with everything that it encloses.

    The logarithm keeps dark tissue beside bright fat.
    """
    signal = np.log1p(np.clip(np.nan_to_num(voxels), 0, None))
    bright = np.pad(signal > _otsu(signal), GAP, mode="edge")  # a head may be cut by the field of view
    head = ndimage.binary_closing(bright, iterations=GAP)[(slice(GAP, -GAP),) * 3]
    slices = np.moveaxis(head, np.argmin(head.shape), 0)
    filled = np.stack([ndimage.binary_fill_holes(each) for each in slices])
    return np.moveaxis(filled, 0, np.argmin(head.shape))


def _otsu(values):
    """The threshold that parts values into the two classes of the largest variance between them."""
    if values.min() == values.max():
        return values.min() - 1  # nothing to tell apart: all of it is head
    counts, edges = np.histogram(values, 256)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centers)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return edges[1 + int(np.nanargmax(between))]
