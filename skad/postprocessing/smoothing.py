"""Gaussian smoothing that stays inside the foreground."""

import numpy as np
from scipy.ndimage import gaussian_filter

from skad.utils.typing import Array, FloatArray


def smooth_foreground(maps: FloatArray, sigma: float) -> FloatArray:
    """Smooth within slices by a normalized convolution that ignores the background (NaN).

    Parameters
    ----------
    maps : ndarray of shape (..., height, width)
        Maps with NaN background, which stays NaN.
    sigma : float
        Standard deviation of the Gaussian, pixels; 0 changes nothing.

    Returns
    -------
    ndarray of the shape and dtype of maps
        The smoothed maps.

    See Also
    --------
    skad.postprocessing.smooth_across_slices : Smooths across slices.

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


def smooth_across_slices(maps: FloatArray, positions: Array, sigma: float) -> FloatArray:
    """Smooth the maps of one volume across slices, weighted by distance.

    Parameters
    ----------
    maps : ndarray of shape (n_slices, height, width)
        Maps with NaN background, which is ignored and stays NaN.
    positions : array-like of shape (n_slices,)
        Positions of the slices along their normal, mm, in any order. Slices far apart do not influence each
        other, and a single slice is unchanged.
    sigma : float
        Standard deviation of the Gaussian, mm; 0 changes nothing.

    Returns
    -------
    ndarray of the shape and dtype of maps
        The smoothed maps.

    See Also
    --------
    skad.postprocessing.smooth_foreground : Smooths within slices.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([0.0, 3.0, 0.0])[:, None, None]
    >>> smooth_across_slices(maps, [0.0, 1.0, 20.0], sigma=1.0).round(2).ravel()
    array([1.13, 1.87, 0.  ])
    """
    if sigma == 0:
        return maps
    positions = np.asarray(positions, dtype=float)
    weights = np.exp(-0.5 * ((positions[:, None] - positions) / sigma) ** 2).astype(maps.dtype)
    inside = ~np.isnan(maps)
    total = np.tensordot(weights, np.where(inside, maps, 0), axes=1)
    share = np.tensordot(weights, inside.astype(maps.dtype), axes=1)
    return np.divide(total, share, out=np.full_like(maps, np.nan), where=inside)
