"""From an anomaly map to lesions: masks without specks, and a table of what is left."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from skad.utils.typing import Array, BoolArray, FloatArray, IntArray

PEAK = ("peak_x_mm", "peak_y_mm", "peak_z_mm")  # columns of `lesion_table`


def hysteresis_threshold(anomaly: Array, low: float, high: float, *, connectivity: int = 1) -> BoolArray:
    """Select pixels above a low threshold that are connected to a pixel above a high threshold.

    Parameters
    ----------
    anomaly : ndarray of any shape
        High where abnormal; NaN (background) is above no threshold.
    low, high : float
        The thresholds; ``low <= high``.
    connectivity : int, default=1
        Neighbors share a face (1), an edge (2), a corner (3).

    Returns
    -------
    bool ndarray of the shape of `anomaly`
        True in the selected pixels.

    Raises
    ------
    ValueError
        `low` is larger than `high`.

    See Also
    --------
    skad.postprocessing.remove_small_lesions : Drops small components of the mask.

    Examples
    --------
    >>> import numpy as np
    >>> hysteresis_threshold(np.array([3, 2, 0, 2, np.nan]), low=1, high=2.5)
    array([ True,  True, False, False, False])
    """
    if low > high:
        raise ValueError(f"low should not be larger than high, got low={low} and high={high}.")
    components, n = connected_components(anomaly > low, connectivity)
    seeded = np.zeros(n + 1, dtype=bool)
    seeded[components[anomaly > high]] = True
    return seeded[components]


def remove_small_lesions(
    mask: Array, affine: ArrayLike, *, min_volume: float = 0.01, connectivity: int = 1
) -> BoolArray:
    """Remove connected components smaller than a given volume.

    Parameters
    ----------
    mask : bool ndarray of shape (nx, ny, nz)
        True in lesions.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    min_volume : float, default=0.01
        Smallest volume that is kept, mL; the default is that of a sphere 2.7 mm in diameter.
    connectivity : int, default=1
        Neighbors share a face (1), an edge (2), a corner (3).

    Returns
    -------
    bool ndarray of shape (nx, ny, nz)
        The mask without the small components.

    See Also
    --------
    skad.postprocessing.lesion_table : Lists the remaining components.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[[True, True, False, True]]])
    >>> remove_small_lesions(mask, np.diag([10, 10, 10, 1]), min_volume=2.0)
    array([[[ True,  True, False, False]]])
    """
    components, n = connected_components(mask, connectivity)
    sizes = np.bincount(components.ravel(), minlength=n + 1)
    kept = sizes * voxel_volume(affine) >= min_volume * (1 - 1e-9)
    kept[0] = False
    return kept[components]


def number_lesions(mask: Array, *, connectivity: int = 1) -> IntArray:
    """Number the connected components of a mask as :func:`lesion_table` does: the largest is 1.

    Parameters
    ----------
    mask : bool ndarray of shape (nx, ny, nz)
        Voxels of lesions.
    connectivity : int, default=1
        Neighbors share a face (1), an edge (2), a corner (3).

    Returns
    -------
    int32 ndarray of shape (nx, ny, nz)
        0 outside lesions.

    See Also
    --------
    lesion_table : Volume, place and peak of each number.

    Examples
    --------
    >>> import numpy as np
    >>> number_lesions(np.array([[[True, False, True, True]]]))
    array([[[2, 0, 1, 1]]], dtype=int32)
    """
    components, n = connected_components(mask, connectivity)
    order = np.argsort(-np.bincount(components.ravel(), minlength=n + 1)[1:], kind="stable")
    number = np.zeros(n + 1, dtype=np.int32)
    number[order + 1] = np.arange(1, n + 1)
    return number[components]


def lesion_table(
    mask: Array,
    anomaly: Array,
    affine: ArrayLike,
    *,
    p_values: Callable[[FloatArray], FloatArray] | None = None,
    connectivity: int = 1,
) -> list[dict[str, Any]]:
    """List the connected components of a mask, largest first.

    Parameters
    ----------
    mask : bool ndarray of shape (nx, ny, nz)
        True in lesions.
    anomaly : ndarray of shape (nx, ny, nz)
        Anomaly map, high where abnormal.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    p_values : callable, default=None
        Anomaly scores to p-values, such as ``ConformalCalibrator.p_values_of``.
    connectivity : int, default=1
        Neighbors share a face (1), an edge (2), a corner (3).

    Returns
    -------
    list of dict
        ``lesion`` (1, 2, ...), ``volume_ml``, the centroid ``x_mm``, ``y_mm``, ``z_mm`` in the space of the
        affine, which may lie outside of a bent lesion, ``peak_score`` and, with `p_values`, the ``p_value``
        of the peak; ``peak_x_mm``, ``peak_y_mm``, ``peak_z_mm``, where the peak is.

    See Also
    --------
    skad.postprocessing.number_lesions : The same components as an image.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.array([[[True, True, False, True]]])
    >>> for row in lesion_table(mask, np.array([[[5.0, 6.0, 0.0, 7.0]]]), np.diag([10, 10, 10, 1])):
    ...     print(row["lesion"], row["volume_ml"], row["z_mm"], row["peak_score"], row["peak_z_mm"])
    1 2.0 5.0 6.0 10.0
    2 1.0 30.0 7.0 30.0
    """
    components, n = connected_components(mask, connectivity)
    if not n:
        return []
    places, component = np.argwhere(components), components[components > 0]  # of the lesions' voxels only
    sizes = np.bincount(component)[1:]
    sums = [np.bincount(component, axis)[1:] for axis in places.T]
    volumes, centroids = sizes * voxel_volume(affine), _to_mm(np.transpose(sums / sizes), affine)
    first = ndimage.maximum_position(anomaly[components > 0], component, np.arange(1, n + 1))
    places = places[np.ravel(first)]
    peaks = anomaly[tuple(places.T)]
    columns = {"volume_ml": volumes, **dict(zip(("x_mm", "y_mm", "z_mm"), centroids.T, strict=True))}
    columns["peak_score"] = peaks
    if p_values is not None:
        columns["p_value"] = p_values(peaks)
    columns |= zip(PEAK, _to_mm(places, affine).T, strict=True)
    order = np.argsort(-volumes, kind="stable")
    return [
        {"lesion": number, **{name: float(column[i]) for name, column in columns.items()}}
        for number, i in enumerate(order, start=1)
    ]


def _to_mm(places, affine):
    """Voxel indices of shape (n, 3) to mm."""
    affine = np.asarray(affine, dtype=float)
    return np.array(places) @ affine[:3, :3].T + affine[:3, 3]


def voxel_volume(affine: ArrayLike) -> float:
    """Volume of a voxel in mL.

    Parameters
    ----------
    affine : array of shape (4, 4)
        Voxel indices to mm.

    Returns
    -------
    float
        Volume, mL.

    See Also
    --------
    skad.postprocessing.lesion_table : Volumes of lesions.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.postprocessing import voxel_volume
    >>> round(voxel_volume(np.diag([1, 2, 5, 1])), 6)
    0.01
    """
    x, y, z = np.asarray(affine, dtype=float)[:3, :3].T
    return abs(float(np.cross(x, y) @ z)) / 1000


def connected_components(mask, connectivity):
    """Numbered connected components of a mask, and how many there are."""
    return ndimage.label(mask, ndimage.generate_binary_structure(np.ndim(mask), connectivity))
