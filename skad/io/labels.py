"""Label images: whole numbers, and connected components that survive on a coarser grid."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from skad.io.errors import VolumeReadError
from skad.utils.typing import Array, IntArray

LABEL_NOISE = 1e-3  # labels scaled by a float32 slope miss whole numbers by this much


def whole_numbers(values: Array, where: str) -> IntArray:
    """Labels as int32, rounded where they differ from whole numbers by rounding noise of a header only."""
    values = np.nan_to_num(values, nan=0.0, posinf=-1.0, neginf=-1.0)
    if values.size and not (values.min() > -0.5 and values.max() < 2**15 - 0.5):
        raise _no_labels(where)
    classes = np.rint(values).astype(np.int32)
    if values.dtype.kind == "f" and (np.abs(classes - values) > LABEL_NOISE).any():
        raise _no_labels(where)
    return classes


def _no_labels(where: str) -> VolumeReadError:
    return VolumeReadError(
        f"{where} should hold whole numbers from 0 (normal) to 32767: it is not a label image, "
        "give the segmentation or none."
    )


def label_components(labels: IntArray) -> tuple[IntArray, IntArray]:
    """Number the connected components of all classes.

    Parameters
    ----------
    labels : integer array of any number of axes
        0 normal, k >= 1 abnormality class k.

    Returns
    -------
    components : int32 array of the same shape
        0 normal, then 1, 2, ...; voxels that touch at a corner belong together.
    classes : integer array of shape (n_components + 1,)
        The class of each component; ``classes[components]`` is `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> label_components(np.array([[2, 0, 1, 1]]))
    (array([[2, 0, 1, 1]], dtype=int32), array([0, 1, 2]))
    """
    neighbors = np.ones((3,) * labels.ndim)
    components, classes = np.zeros(labels.shape, np.int32), [0]
    for k in np.unique(labels[labels > 0]).tolist():
        found, n_found = ndimage.label(labels == k, neighbors)
        components += np.where(found, found + len(classes) - 1, 0).astype(np.int32)
        classes += [k] * n_found
    return components, np.array(classes)


def keep_components(
    resampled: IntArray,
    components: IntArray,
    n_components: int,
    to_resampled: Callable[[IntArray], IntArray],
) -> list[int]:
    """Give each component that sampling lost the voxel that holds most of it, in place.

    A free voxel, where there is one, else one of a component that keeps others. We: a small lesion must not
    turn an abnormal slice into a normal one.

    Parameters
    ----------
    resampled : integer array
        Component numbers on the new grid.
    components : integer array
        Component numbers before.
    n_components : int
    to_resampled : callable
        Indices before, of shape (n_voxels, n_axes), to those of the new voxels they lie in.

    Returns
    -------
    list of int
        Components without a place: outside the new grid, or in voxels that are the only ones of others.
    """
    held = np.bincount(resampled.ravel(), minlength=n_components + 1)
    lost = np.flatnonzero(held[1:] == 0) + 1
    places = ndimage.find_objects(components) if lost.size else []
    without = []
    for number in lost.tolist():
        place = places[number - 1]
        start = [side.start for side in place]
        moved = to_resampled(np.argwhere(components[place] == number) + start)
        moved = moved[((moved >= 0) & (moved < resampled.shape)).all(axis=1)]
        owners = resampled[tuple(moved.T)]
        spare = (owners == 0) | (held[owners] > 1)
        if not spare.any():
            without.append(number)
            continue
        voxels, owners = moved[spare], owners[spare]
        voxels = voxels[owners == 0] if (owners == 0).any() else voxels
        candidates, counts = np.unique(voxels, axis=0, return_counts=True)
        chosen = tuple(candidates[counts.argmax()])
        held[resampled[chosen]] -= 1
        held[number] = 1
        resampled[chosen] = number
    return without
