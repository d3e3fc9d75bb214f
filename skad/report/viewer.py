"""What the viewer of a report needs of one subject, as text that a page can hold."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, generate_binary_structure

from skad.io import compact_nifti
from skad.plotting.drawing import GRAYS_PERCENT
from skad.utils.typing import Array

_MARGIN_MM = 10.0  # around the foreground of the map: enough to see where one is
_GRAYS = 64  # their steps are below the noise of a scan
_SCORES = 1024  # levels of the map, so that a threshold can be set finely where scores have a heavy tail
_STORED_PERCENT = 99.95  # of the foreground: brighter voxels are clipped
_THICK = 1.5  # times the smallest voxel size: slices that are no neighbors in an outline
_MIDDLE = np.array([False, True, False])[:, None, None] & np.ones((3, 3, 3), bool)


def viewer_data(
    images: Mapping[str, Array],
    anomaly: Array,
    affine: Array,
    *,
    threshold: float,
    labels: Array | None = None,
) -> dict[str, Any]:
    """Crop, round and compress the contrasts, map and labels of a subject for the viewer.

    Parameters
    ----------
    images : dict of str to array of shape (nx, ny, nz)
        The contrasts; if there are none, the map itself is the background.
    anomaly : array of shape (nx, ny, nz)
        Anomaly map, high is abnormal; NaN outside the foreground.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    threshold : float
        Scores above it are colored when the page opens. Lower scores are kept down to the median of the
        foreground.
    labels : integer array of shape (nx, ny, nz), default=None
        Lesion labels, abnormal above 0; only the outlines are kept, around each lesion, so that they do not
        cover the map.

    Returns
    -------
    dict
        Strings, numbers and lists. ``contrasts``: name, NIfTI and window of each; ``map``: NIfTI, lowest and
        highest score kept, threshold; ``truth``: NIfTI or None; ``voxel_size``: along right, anterior,
        superior, mm; ``peak``: x, y, z of the highest score, mm. NIfTI files are gzip'ed and in base64.

    Raises
    ------
    ValueError
        The map has no foreground.

    See Also
    --------
    skad.report.SubjectReport : Its parameter ``viewer``.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.report import viewer_data
    >>> image = np.random.default_rng(0).random((7, 8, 9))
    >>> sorted(viewer_data({"FLAIR": image}, image, np.eye(4), threshold=0.9))
    ['contrasts', 'map', 'peak', 'truth', 'voxel_size']
    """
    foreground = ~np.isnan(anomaly)
    if not foreground.any():
        raise ValueError("anomaly should have foreground to show, got NaN everywhere.")
    affine = np.asarray(affine, dtype=float)
    scores = anomaly[foreground]
    lowest, highest = float(np.clip(threshold, scores.min(), np.median(scores))), float(scores.max())
    peak = np.unravel_index(np.nanargmax(anomaly), anomaly.shape)
    box = _box(foreground, affine)
    images = {"anomaly map": np.where(foreground, anomaly, lowest)} if not images else images
    inside = foreground[box]
    return {
        "contrasts": [_contrast(name, image[box], inside, box, affine) for name, image in images.items()],
        "map": {
            "nifti": _nifti(anomaly[box], box, affine, low=lowest, high=highest, n_levels=_SCORES),
            "lowest": lowest,
            "highest": highest,
            "threshold": float(np.clip(threshold, lowest, highest)),
        },
        "truth": None
        if labels is None
        else _nifti(_outline(labels > 0, affine)[box], box, affine, low=0, high=1),
        "voxel_size": _along_axes(affine),
        "peak": (affine[:3, :3] @ peak + affine[:3, 3]).tolist(),
    }


def _along_axes(affine):
    """Voxel sizes along the axes of the patient that the voxels' axes run closest to, mm."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return [float(sizes[np.argmax(np.abs(row) / sizes)]) for row in affine[:3, :3]]


def _contrast(name, image, foreground, box, affine):
    values = image[foreground & np.isfinite(image)]
    black, white, high = (
        np.percentile(values, (*GRAYS_PERCENT, _STORED_PERCENT)) if values.size else (0, 1, 1)
    )
    low = min(float(black), float(np.nanmin(image, initial=0)))
    nifti = _nifti(image, box, affine, low=low, high=float(high), n_levels=_GRAYS)
    return {"name": name, "nifti": nifti, "black": float(black), "white": float(white)}


def _outline(mask, affine):
    """The voxels that touch a mask from outside; of thick slices only those in the slice."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    neighbors = generate_binary_structure(3, 1)
    for axis in np.flatnonzero(sizes > _THICK * sizes.min()):
        neighbors &= np.moveaxis(_MIDDLE, 0, axis)
    return binary_dilation(mask, neighbors) & ~mask


def _nifti(image, box, affine, **levels):
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    return base64.b64encode(compact_nifti(image, moved, **levels)).decode()


def _box(foreground, affine):
    """The part of the grid within a margin of the foreground, a slice per axis."""
    margins = np.ceil(_MARGIN_MM / np.linalg.norm(affine[:3, :3], axis=0)).astype(int)
    (ends,) = find_objects(foreground.view(np.uint8))
    return tuple(
        slice(max(int(side.start - margin), 0), min(int(side.stop + margin), size))
        for side, margin, size in zip(ends, margins, foreground.shape, strict=True)
    )
