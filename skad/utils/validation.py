"""What an image array may be: shape, kind, NaN background, missing contrasts.

Images are ``(n_samples, n_contrasts, height, width)``; a pair of image and normal reference is
``(n_samples, 2, n_contrasts, height, width)``. NaN is background.
"""

import numpy as np

from skad.utils.out_of_core import is_on_disk

_CHUNK = 64  # slices looked at together: a cohort on disk is never held whole
_LARGEST = np.finfo(np.float32).max
_IMAGE_AXES = "(n_samples, n_contrasts, height, width)"
_PAIR_AXES = "(n_samples, 2, n_contrasts, height, width)"
_NEIGHBOR_AXES = "(n_samples, 3, n_contrasts, height, width)"


def foreground_of(images):
    """True where a pixel belongs to the image: not NaN in at least one contrast.

    Parameters
    ----------
    images : ndarray of shape (n_samples, n_contrasts, height, width)

    Returns
    -------
    ndarray of bool, shape (n_samples, height, width)

    Examples
    --------
    >>> import numpy as np
    >>> foreground_of(np.array([[[[0.0, np.nan]], [[1.0, np.nan]]]]))
    array([[[ True, False]]])
    """
    return ~np.isnan(images).all(axis=1)


def rows_with_foreground(X):
    """Indices of the slices that are not all background, read one by one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Slices, pairs or slices with their neighbors; NaN background.

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> import numpy as np
    >>> X = np.full((3, 1, 4, 5), np.nan)
    >>> X[1] = 2.0
    >>> rows_with_foreground(X)
    array([1])
    """
    return np.flatnonzero([not np.isnan(x).all() for x in X])


def missing_contrasts(images):
    """True where a contrast is NaN over a whole slice that has foreground in another contrast.

    Returns
    -------
    ndarray of bool, shape (n_samples, n_contrasts)
    """
    absent = np.isnan(images).all(axis=(2, 3))
    return absent & ~absent.all(axis=1, keepdims=True)


def with_missing_from_reference(P):
    """Pairs in which a missing contrast shows its reference: its residual is zero.

    Parameters
    ----------
    P : ndarray of shape (n_samples, 2, n_contrasts, height, width)

    Returns
    -------
    ndarray of the shape of P
        P itself where nothing is missing.
    """
    missing = missing_contrasts(P[:, 0])
    if not missing.any():
        return P
    filled = np.array(P)
    filled[:, 0] = np.where(missing[:, :, None, None], P[:, 1], P[:, 0])
    return filled


def check_images(X, *, n_contrasts=None, allow_missing=False, name="X"):
    """Validate an image array against the contract of skad.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_contrasts, height, width)
        Any real dtype. A memory map is looked at in chunks and returned as it is.
    n_contrasts : int, default=None
        The number of contrasts that fit saw.
    allow_missing : bool, default=False
        Whether a contrast may be NaN over a whole slice.
    name : str, default="X"
        What the array is called in messages.

    Returns
    -------
    ndarray of shape (n_samples, n_contrasts, height, width)
        float32 and C-contiguous; from disk (a memory map) as it is.

    Raises
    ------
    ValueError
        Wrong number of axes, no samples, no pixels, wrong number of contrasts, non-numeric content,
        infinities, or NaN in some contrasts only.
    """
    X = _as_numbers(X, name)
    if X.ndim != 4:
        raise ValueError(f"{name} should have shape {_IMAGE_AXES}, got {X.shape}{_remedy(X, 4)}")
    _check_sizes(X, n_contrasts, X.shape[1], name)
    for start in range(0, len(X), _CHUNK):
        _check_content(X[start : start + _CHUNK], allow_missing, start, name)
    return _as_float32(X)


def check_pairs(P, *, n_contrasts=None, allow_missing=False, name="P"):
    """Validate an array of (image, normal reference) pairs.

    Parameters
    ----------
    P : array-like of shape (n_samples, 2, n_contrasts, height, width)
        ``P[:, 0]`` the image as observed, ``P[:, 1]`` its normal reference, finite in the foreground.
    n_contrasts, allow_missing, name
        As in :func:`check_images`.

    Returns
    -------
    ndarray of shape (n_samples, 2, n_contrasts, height, width)

    Raises
    ------
    ValueError
        As :func:`check_images`, and when a reference is NaN where its image is not.
    """
    P = _as_numbers(P, name)
    axes = f"{_PAIR_AXES} (image and normal reference)"
    return _check_series(P, 2, axes, _remedy(P, 5), "reference", n_contrasts, allow_missing, name)


def check_neighbors(X, *, n_contrasts=None, allow_missing=False, name="X"):
    """Validate an array of slices with the slices below and above them.

    Parameters
    ----------
    X : array-like of shape (n_samples, 3, n_contrasts, height, width)
        ``X[:, 0]`` the slice, ``X[:, 1]`` and ``X[:, 2]`` its neighbors, finite in its foreground; they may
        lack a contrast that the slice lacks.
    n_contrasts, allow_missing, name
        As in :func:`check_images`.

    Returns
    -------
    ndarray of shape (n_samples, 3, n_contrasts, height, width)

    Raises
    ------
    ValueError
        As :func:`check_images`, and when a neighbor is NaN where its slice is not.
    """
    X = _as_numbers(X, name)
    return _check_series(X, 3, _NEIGHBOR_AXES, ".", "neighbor", n_contrasts, allow_missing, name)


def _check_series(series, length, axes, remedy, what, n_contrasts, allow_missing, name):
    """So many images each; the first is valid, and what is beside it finite over its foreground."""
    if series.ndim != 5 or series.shape[1] != length:
        raise ValueError(f"{name} should have shape {axes}, got {series.shape}{remedy}")
    _check_sizes(series, n_contrasts, series.shape[2], name)
    for start in range(0, len(series), _CHUNK):
        observed, *others = np.moveaxis(series[start : start + _CHUNK], 1, 0)
        _check_content(observed, allow_missing, start, name)
        inside = foreground_of(observed)[:, None]
        lacking = np.isnan(observed) & (length == 3)  # a neighbor may lack a contrast that its slice lacks
        for number, other in enumerate(others, start=1):
            lost = ~(np.abs(other) <= _LARGEST) & inside & ~(lacking & np.isnan(other))
            if lost.any():
                i = start + int(np.argwhere(lost)[0, 0])
                raise ValueError(
                    f"{name}[{i}, {number}] should be a finite {what} over the whole foreground, got NaN or "
                    "infinity."
                )
    return _as_float32(series)


def check_images_or_pairs(X, **kwargs):
    """Validate whichever of the two ``X`` is, told by its number of axes (4 or 5)."""
    if np.ndim(X) == 5:
        return check_pairs(X, **kwargs)
    if np.ndim(X) == 4:
        return check_images(X, **kwargs)
    raise ValueError(f"X should have shape {_IMAGE_AXES} or {_PAIR_AXES}, got {np.shape(X)}{_remedy(X, 4)}")


def check_images_or_series(X, **kwargs):
    """Validate images, pairs, or slices with their neighbors, told by their axes."""
    return check_neighbors(X, **kwargs) if _is_series(X) else check_images_or_pairs(X, **kwargs)


def check_images_or_neighbors(X, **kwargs):
    """Validate images, or slices with their neighbors, told by their axes."""
    return check_neighbors(X, **kwargs) if _is_series(X) else check_images(X, **kwargs)


def _is_series(X):
    return np.ndim(X) == 5 and np.shape(X)[1] == 3


def _remedy(X, expected):
    """What to put where, so that an array has the expected number of axes; a full stop in any case."""
    if _is_series(X):
        return (
            ": slices with their neighbors are for ContrastTranslator and SyntheticAnomalyScorer, alone or "
            "in an ensemble; other detectors need context=None."
        )
    if expected == 5 and np.ndim(X) == 4:
        return (
            ": put a reconstructor before this scorer, "
            "as in make_pipeline(ContrastTranslator(), ResidualScorer())."
        )
    if expected == 4 and np.ndim(X) == 5:
        return ": this estimator makes do with images, leave out the reconstructor before it."
    if np.ndim(X) == 3:
        return ": one contrast needs an axis too, as in X[:, np.newaxis]."
    if np.ndim(X) <= 2:
        return ": give slices with their rows and columns, not a table of pixels."
    return "."


def _as_numbers(X, name):
    numbers = np.asarray(X)
    if numbers.dtype == object:
        remedy = "give its .X." if hasattr(X, "X") else "VolumePreprocessor makes slices of volumes."
        raise ValueError(f"{name} should be an array of real numbers, got {type(X).__name__}: {remedy}")
    if numbers.dtype.kind not in "fiub":
        raise ValueError(f"{name} should hold real numbers, got dtype {numbers.dtype}.")
    return numbers


def _as_float32(X):
    return X if is_on_disk(X) else np.ascontiguousarray(X, dtype=np.float32)


def _check_sizes(X, expected, n_contrasts, name):
    if 0 in X.shape:
        raise ValueError(f"{name} should hold at least one sample, contrast and pixel, got shape {X.shape}.")
    if expected is not None and n_contrasts != expected:
        raise ValueError(f"{name} has {n_contrasts} contrasts, but the estimator was fitted with {expected}.")


def _check_content(images, allow_missing, start, name):
    if images.dtype.kind != "f":
        return
    too_large = np.abs(images) > _LARGEST
    if too_large.any():
        i = start + int(np.argwhere(too_large)[0, 0])
        raise ValueError(
            f"{name}[{i}] contains infinity or a value too large for float32; "
            "expected finite numbers, NaN as background."
        )
    nan = np.isnan(images)
    if not nan.any():
        return
    missing = missing_contrasts(images)
    if missing.any() and not allow_missing:
        i, c = np.argwhere(missing)[0]
        raise ValueError(
            f"{name}[{start + i}] lacks contrast {c} (NaN over the whole slice); "
            "this estimator needs every contrast."
        )
    background = nan.all(axis=1, keepdims=True)
    ragged = (nan & ~background & ~missing[:, :, None, None]).any(axis=(1, 2, 3))
    if ragged.any():
        i = start + int(np.flatnonzero(ragged)[0])
        raise ValueError(
            f"{name}[{i}] has NaN in some contrasts of a pixel only; "
            "expected NaN in every contrast (background) or in none."
        )
