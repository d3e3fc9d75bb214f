"""Which voxels are brain or body: given, non-zero, or found with Otsu's threshold."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from skad.utils.typing import Array, BoolArray, FloatArray

# Share of voxels, and of the slices' border, that must be exactly zero to call a volume cut out already (we).
ZERO_SHARE, ZERO_BORDER_SHARE = 0.05, 0.5


def foreground(
    images: Sequence[FloatArray], given: Array | None = None, *, method: str | None = "auto"
) -> BoolArray:
    """Find the foreground of the axial slices of one subject.

    Parameters
    ----------
    images : sequence of float arrays of shape (n_slices, rows, columns)
        The contrasts of the subject. Voxels that are not finite in one of them are never foreground.
    given : bool array of the same shape, default=None
        The mask that came with the data.
    method : {"auto", "given", "nonzero", "otsu"} or None, default="auto"
        "given" takes the given mask; "nonzero" all voxels that are not exactly zero in every contrast; "otsu"
        the body found by threshold; None all voxels. "auto" is the given mask if there is one, else "nonzero"
        if the background is exactly zero (more than 5 % of all voxels and half of the slices' borders), else
        "otsu".

    Returns
    -------
    bool array of shape (n_slices, rows, columns)
        True in the foreground.

    Raises
    ------
    ValueError
        "given" without a given mask.

    See Also
    --------
    skad.preprocessing.VolumePreprocessor : Its parameter ``mask`` is the method.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.preprocessing import foreground
    >>> image = np.zeros((1, 3, 4))
    >>> image[0, 1, 1:3] = 5.0
    >>> foreground([image], method="nonzero").sum().item()
    2
    """
    finite = np.logical_and.reduce([np.isfinite(image) for image in images])
    if method == "auto":
        method = "given" if given is not None else "nonzero" if _is_cut_out(images) else "otsu"
    if method == "given" and given is None:
        raise ValueError("has no mask, but mask='given' asks for one: give it, or choose mask='auto'.")
    if method is None:
        return finite
    if method == "given":
        return finite & given
    return finite & (_nonzero(images) if method == "nonzero" else body(images))


def body(images):
    """Largest connected region above Otsu's threshold of the mean contrast, its holes filled slice by slice.

    Parameters
    ----------
    images : sequence of float arrays of shape (n_slices, rows, columns)

    Returns
    -------
    bool array of shape (n_slices, rows, columns)
    """
    mean = np.mean([_unit_range(np.nan_to_num(image, posinf=0, neginf=0)) for image in images], axis=0)
    regions, n_regions = ndimage.label(mean > otsu_threshold(mean))
    if n_regions == 0:
        return np.zeros(mean.shape, dtype=bool)
    largest = regions == np.bincount(regions.ravel())[1:].argmax() + 1
    return np.stack([ndimage.binary_fill_holes(image) for image in largest])


def otsu_threshold(values, n_bins=256):
    """Threshold with the largest variance between the two classes it makes (Otsu 1979).

    Parameters
    ----------
    values : float array
    n_bins : int, default=256

    Returns
    -------
    float
        Upper edge of the last bin of the lower class.

    Examples
    --------
    >>> import numpy as np
    >>> 0 < otsu_threshold(np.array([0.0, 0.0, 1.0, 1.0])) < 1
    True
    """
    counts, edges = np.histogram(values, bins=n_bins)
    centers = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sum_below = np.cumsum(counts * centers)[:-1]
    sum_above = (counts * centers).sum() - sum_below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sum_below / below - sum_above / above) ** 2
    return float(edges[1:-1][np.nan_to_num(between).argmax()])


def _nonzero(images):
    return np.logical_or.reduce([image != 0 for image in images])


def _is_cut_out(images):
    zero = ~_nonzero(images)
    border = np.concatenate([zero[:, [0, -1], :].ravel(), zero[:, :, [0, -1]].ravel()])
    return zero.mean() > ZERO_SHARE and border.mean() > ZERO_BORDER_SHARE


def _unit_range(image):
    low, high = np.percentile(image, (1, 99))
    return np.clip((image - low) / (high - low), 0, 1) if high > low else np.zeros_like(image)
