"""Gaussian smoothing that stays inside the foreground."""

import numpy as np
from scipy.ndimage import gaussian_filter

from skad.utils.typing import FloatArray


def smooth_foreground(maps: FloatArray, sigma: float) -> FloatArray:
    """Smooth the last two axes by a normalised convolution: background (NaN) neither bleeds in nor is filled.

    Parameters
    ----------
    maps : ndarray of shape (..., height, width)
        NaN background.
    sigma : float
        Standard deviation of the Gaussian, pixels; 0 changes nothing.

    Returns
    -------
    ndarray of the shape and dtype of maps

    Examples
    --------
    >>> import numpy as np
    >>> smooth_foreground(np.array([[[2.0, 2.0, np.nan]]]), sigma=1.0)
    array([[[ 2.,  2., nan]]])
    """
    if sigma == 0:
        return maps
    inside = ~np.isnan(maps)
    sigmas = (0,) * (maps.ndim - 2) + (sigma, sigma)
    weight = gaussian_filter(inside.astype(maps.dtype), sigmas, mode="constant")
    total = gaussian_filter(np.where(inside, maps, 0), sigmas, mode="constant")
    return np.divide(total, weight, out=np.full_like(maps, np.nan), where=inside)
