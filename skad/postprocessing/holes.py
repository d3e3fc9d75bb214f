"""Holes of a map: places that cannot be left without crossing more abnormal ones."""

import numpy as np
from scipy.ndimage import minimum_filter

from skad.utils.typing import FloatArray


def fill_holes(maps: FloatArray) -> FloatArray:
    """Raise what a more abnormal rim encloses to the level of that rim, within slices.

    A necrotic core may look more normal than the tumor around it, but belongs to the same lesion. Every
    pixel gets the smallest maximum over all paths (8-connected) that lead from it to the background: a pixel
    on a slope keeps its value, one in a hole gets that of the lowest place in the rim.

    Parameters
    ----------
    maps : ndarray of shape (..., height, width)
        Anomaly maps, higher is more abnormal, with NaN background, which stays NaN.

    Returns
    -------
    ndarray of the shape and dtype of maps
        The filled maps, nowhere lower than before.

    See Also
    --------
    scipy.ndimage.binary_fill_holes : The same for masks; it commutes with any threshold.

    Notes
    -----
    This is grayscale reconstruction by erosion from the background. It has no parameter, and any increasing
    transform of the maps may be applied before or after it.

    References
    ----------
    Vincent, Morphological grayscale reconstruction in image analysis, IEEE Trans. Image Process. 2(2), 1993.
    Soille, Morphological Image Analysis, 2nd edition 2003, section 6.3.7.

    Examples
    --------
    >>> import numpy as np
    >>> fill_holes(np.array([[4.0, 4.0, 4.0], [4.0, 2.0, 3.0], [4.0, 4.0, 4.0]]))
    array([[4., 4., 4.],
           [4., 3., 3.],
           [4., 4., 4.]])
    """
    filled = np.empty_like(maps)
    for index in np.ndindex(maps.shape[:-2]):  # a slice at a time: each takes its own number of steps
        filled[index] = _fill_slice(maps[index])
    return filled


def _fill_slice(image):
    """Let water fall from above until it rests on the levels, or leaves through the border."""
    levels = np.pad(np.where(np.isnan(image), -np.inf, image), 1, constant_values=-np.inf)
    water, fallen = None, np.where(levels == -np.inf, levels, np.inf)
    while not np.array_equal(fallen, water):
        water, fallen = fallen, np.maximum(levels, minimum_filter(fallen, 3))
    return np.where(np.isnan(image), image, water[1:-1, 1:-1])
