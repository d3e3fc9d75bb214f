"""Linear interpolation along axes, blind to background: NaN neither spreads nor leaks in."""

import warnings

import numpy as np
from scipy import ndimage, sparse

from skad.io.labels import keep_components, label_components

SMALLEST_WEIGHT = 1e-7  # about the precision of float32


def linear_weights(n_in, n_out, step, start):
    """Weights of `n_in` samples in `n_out` new ones at positions ``start + step * i``, in units of samples.

    A triangle of half-width ``max(1, step)``: plain linear interpolation, widened where the new samples are
    coarser so that each of them averages all it covers. We. Positions beyond the outer faces of the samples
    get no weight.

    Parameters
    ----------
    n_in, n_out : int
    step, start : float

    Returns
    -------
    scipy.sparse.csr_array of shape (n_out, n_in)
        Rows sum to 1, or 0 beyond the samples.

    Examples
    --------
    >>> linear_weights(3, 2, step=1.0, start=0.5).toarray()
    array([[0.5, 0.5, 0. ],
           [0. , 0.5, 0.5]], dtype=float32)
    """
    positions = start + step * np.arange(n_out)
    distance = np.abs(positions[:, None] - np.arange(n_in))
    weights = np.maximum(0.0, 1.0 - distance / max(1.0, step))
    weights[(positions < -0.5 - 1e-6) | (positions > n_in - 0.5 + 1e-6)] = 0.0
    total = weights.sum(axis=1, keepdims=True)
    return sparse.csr_array((weights / np.where(total > 0, total, 1.0)).astype(np.float32))


def spline_weights(n_in, n_out, step, start):
    """Weights of `n_in` samples in `n_out` new ones by cubic splines at positions ``start + step * i``.

    Where the new samples are coarser, the old ones are smoothed first, against aliasing: a Gaussian of half
    the ratio minus one (we). The weights are those of scipy's ``gaussian_filter`` and ``affine_transform``,
    found by applying both to unit vectors; smaller ones than 1e-7 are left out.

    Parameters
    ----------
    n_in, n_out : int
    step, start : float

    Returns
    -------
    scipy.sparse.csr_array of shape (n_out, n_in)
    """
    sigma = max(0.0, (step - 1) / 2)
    units = ndimage.gaussian_filter(np.eye(n_in), (0.0, sigma), mode="nearest")
    columns = [
        ndimage.affine_transform(unit, [step], [start], (n_out,), order=3, mode="nearest") for unit in units
    ]
    weights = np.stack(columns, axis=1)
    return sparse.csr_array(np.where(np.abs(weights) > SMALLEST_WEIGHT, weights, 0).astype(np.float32))


def along_axes(values, weights):
    """Apply one weight matrix per axis; None leaves an axis as it is."""
    for axis, matrix in enumerate(weights):
        if matrix is not None:
            moved = np.moveaxis(values, axis, 0)
            flat = matrix @ np.ascontiguousarray(moved).reshape(len(moved), -1)
            values = np.moveaxis(flat.reshape(-1, *moved.shape[1:]), 0, axis)
    return values


def interpolate(values, weights, smallest=0.5):
    """Interpolate an image whose background is NaN: the weighted mean of the foreground samples under each
    pixel.

    Parameters
    ----------
    values : array of shape (n_0, n_1, ...)
    weights : sequence of csr_array or None
        One per axis, from `linear_weights`.
    smallest : float, default=0.5
        Share of foreground from which a new sample is foreground.

    Returns
    -------
    ndarray, float32
        NaN in the background.
    """
    foreground = ~np.isnan(values)
    share = along_axes(foreground.astype(np.float32), weights)
    total = along_axes(np.where(foreground, values, np.float32(0)).astype(np.float32, copy=False), weights)
    kept = share >= smallest - 1e-6
    return np.divide(total, share, out=np.full(share.shape, np.nan, np.float32), where=kept)


def nearest(values, weights):
    """Labels at the new samples: the label with the largest weight along each axis, 0 beyond the samples."""
    for axis, matrix in enumerate(weights):
        if matrix is not None:
            dense = matrix.toarray()
            values = np.take(values, dense.argmax(axis=1), axis=axis)
            beyond = np.flatnonzero(dense.max(axis=1) == 0)
            values[(slice(None),) * axis + (beyond,)] = 0
    return values


def resample_labels(labels, weights):
    """Labels at the new samples by `nearest`; no connected component of a class is lost.

    We: a lesion of one pixel must not turn an abnormal slice into a normal one. A component that no new
    sample meets gets the pixel that holds most of it.

    Parameters
    ----------
    labels : integer array
        0 normal, k >= 1 abnormality class k.
    weights : sequence of csr_array or None
        One per axis, from `linear_weights`.

    Returns
    -------
    ndarray of the dtype of `labels`

    Warns
    -----
    UserWarning
        Every pixel that a component lies in is the only one of another.
    """
    components, classes = label_components(labels)
    resampled = nearest(components, weights)
    holders = [_holders(matrix, n) for matrix, n in zip(weights, labels.shape, strict=True)]
    without = keep_components(
        resampled,
        components,
        len(classes) - 1,
        lambda at: np.stack([holder[i] for holder, i in zip(holders, at.T, strict=True)], axis=1),
    )
    if without:
        warnings.warn(
            f"{len(without)} lesions of a volume have no voxel of their own at this voxel size: choose a "
            "smaller one to keep them apart.",
            stacklevel=2,
        )
    return classes.astype(labels.dtype)[resampled]


def _holders(matrix, n):
    """Index of the new sample that holds most of each of `n` samples, -1 where none does."""
    if matrix is None:
        return np.arange(n)
    dense = matrix.toarray()
    return np.where(dense.max(axis=0) > 0, dense.argmax(axis=0), -1)
