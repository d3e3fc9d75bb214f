"""Surface Dice: how much of the outlines of two masks agrees within a tolerance."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from skad.metrics.instances import check_masks
from skad.utils.typing import Array


def surface_dice(
    truth: Array, predicted: Array, *, voxel_size: Sequence[float] | None = None, tolerance: float = 2.0
) -> float:
    """Share of both surfaces that lies within a tolerance of the other (normalized surface Dice).

    The outline of a mask are its voxels with a face neighbor outside it (we: voxels, as MONAI counts them;
    Nikolov et al. weight them by the area of their surface). An axis of length 1 is no direction, so that a
    single slice has the outline of a 2-D mask.

    Parameters
    ----------
    truth, predicted : bool array of shape (n_slices, height, width) or (height, width)
        Masks of one scan on one grid.
    voxel_size : sequence of float, default=None
        Along each axis, mm; None means 1.
    tolerance : float, default=2.0
        Largest distance between voxel centers that still agrees, mm.

    Returns
    -------
    float
        From 0 to 1; NaN where both masks are empty, 0 where one is.

    Raises
    ------
    ValueError
        If the masks differ in shape, `voxel_size` does not name every axis, or `tolerance` is negative.

    See Also
    --------
    skad.metrics.lesionwise_scores : Scores per lesion.

    References
    ----------
    .. [1] Nikolov et al., "Deep learning to achieve clinically applicable segmentation of head and neck
       anatomy for radiotherapy", arXiv:1809.04430.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import surface_dice
    >>> truth = np.array([[0, 1, 1, 1, 1, 0, 0]], dtype=bool)
    >>> predicted = np.array([[0, 1, 1, 1, 1, 1, 1]], dtype=bool)
    >>> surface_dice(truth, predicted, tolerance=1.0), surface_dice(truth, predicted, tolerance=2.0)
    (0.5, 1.0)
    """
    truth, predicted = check_masks(truth, predicted)
    voxel_size = (1.0,) * truth.ndim if voxel_size is None else tuple(voxel_size)
    if len(voxel_size) != truth.ndim or tolerance < 0:
        raise ValueError(
            f"voxel_size should give mm along {truth.ndim} axes and tolerance be at least 0, "
            f"got {voxel_size} and {tolerance}."
        )
    axes = [axis for axis, length in enumerate(truth.shape) if length > 1]
    spacing = [voxel_size[axis] for axis in axes]
    outlines = [_outline(mask.reshape([mask.shape[axis] for axis in axes])) for mask in (truth, predicted)]
    sizes = [np.count_nonzero(outline) for outline in outlines]
    if not all(sizes):
        return 0.0 if any(sizes) else float("nan")
    agreeing = [
        np.count_nonzero(ndimage.distance_transform_edt(~other, sampling=spacing)[outline] <= tolerance)
        for outline, other in (outlines, outlines[::-1])
    ]
    return float(sum(agreeing) / sum(sizes))


def _outline(mask):
    """Voxels of a mask with a face neighbor outside it; the border of the image is outside."""
    return mask & ~ndimage.binary_erosion(mask)
