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
    return _convolve(maps, lambda values: _blur(values, (sigma, sigma)))


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
    weights = _weights_across(positions, sigma, maps.dtype)
    return _convolve(maps, lambda values: np.tensordot(weights, values, axes=1))


def smooth_volume(
    maps: FloatArray, positions: Array, pixel_size: tuple[float, float], sigma: float
) -> FloatArray:
    """Smooth the maps of one volume in all directions, by the same distance.

    Parameters
    ----------
    maps : ndarray of shape (n_slices, height, width)
        Maps with NaN background, which is ignored and stays NaN.
    positions : array-like of shape (n_slices,)
        Positions of the slices along their normal, mm, in any order.
    pixel_size : (float, float)
        Height and width of a pixel, mm.
    sigma : float
        Standard deviation of the Gaussian, mm; 0 changes nothing.

    Returns
    -------
    ndarray of the shape and dtype of maps
        The smoothed maps.

    See Also
    --------
    skad.postprocessing.smooth_across_slices : Smooths across slices only.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.array([[[0.0, 3.0, 0.0]], [[0.0, 0.0, 0.0]]])
    >>> smooth_volume(maps, [0.0, 100.0], (1.0, 1.0), sigma=1.0).round(2)[:, 0]
    array([[1.04, 1.36, 1.04],
           [0.  , 0.  , 0.  ]])
    """
    if sigma == 0:
        return maps
    weights = _weights_across(positions, sigma, maps.dtype)
    sigmas = tuple(sigma / size for size in pixel_size)
    return _convolve(maps, lambda values: np.tensordot(weights, _blur(values, sigmas), axes=1))


def _convolve(maps, blur):
    """Normalized convolution: the foreground blurred, divided by how much of it there is."""
    inside = ~np.isnan(maps)
    weight = blur(inside.astype(maps.dtype))
    total = blur(np.where(inside, maps, 0))
    return np.divide(total, weight, out=np.full_like(maps, np.nan), where=inside)


def _blur(values, sigmas):
    """Blur within slices, the outside being 0."""
    return gaussian_filter(values, (0,) * (values.ndim - 2) + tuple(sigmas), mode="constant")


def _weights_across(positions, sigma, dtype):
    """Influence of each slice (column) on each slice (row)."""
    positions = np.asarray(positions, dtype=float)
    return np.exp(-0.5 * ((positions[:, None] - positions) / sigma) ** 2).astype(dtype)
