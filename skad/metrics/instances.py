"""Scores of a mask that count lesions instead of voxels: lesion-wise F1 and Dice, panoptic quality."""

import numpy as np
from scipy import ndimage

from skad.utils.typing import Array

NEIGHBORS = 3  # of a voxel in 3-D: those that share a face, an edge or a corner (BraTS)


def lesionwise_scores(
    truth: Array, predicted: Array, *, dilation: int = 3, min_size: int = 1
) -> dict[str, float]:
    """Lesion-wise recall, precision, F1 and Dice of a mask, as in BraTS 2023.

    True lesions that are connected once the truth is dilated count as one, so that a lesion with gaps is not
    several. A lesion is found if a detection (a connected component of `predicted`) touches the dilated
    lesion; its Dice is that between the lesion and all detections that touch it. Detections that touch no
    lesion are false positives. A lesion that is missed and a false positive each contribute a Dice of 0 to
    the mean. Lesions of fewer than `min_size` voxels are ignored, and so are detections that touch nothing
    but them.

    Parameters
    ----------
    truth, predicted : bool array of shape (n_slices, height, width) or (height, width)
        Masks of one scan on one grid.
    dilation : int, default=3
        Steps by which the truth is dilated in every direction, voxels (BraTS: 3 of 1 mm). 0 does not dilate.
    min_size : int, default=1
        Voxels of the smallest lesion that counts (BraTS 2023: 50 of 1 mm3).

    Returns
    -------
    dict of float
        ``n_lesions``, ``n_found``, ``n_false_positives``; ``lesion_recall`` and ``lesion_dice`` (NaN without
        a lesion), ``lesion_precision`` (NaN without a detection) and ``lesion_f1`` (NaN without both).

    Raises
    ------
    ValueError
        If the masks differ in shape or `dilation` or `min_size` is negative.

    See Also
    --------
    panoptic_quality : Lesions matched one to one.
    lesion_froc : Lesions found over all thresholds of an anomaly map.

    References
    ----------
    .. [1] Moawad et al., "The Brain Tumor Segmentation (BraTS-METS) Challenge 2023", arXiv:2306.00838.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import lesionwise_scores
    >>> truth = np.array([[1, 1, 0, 0, 0, 0, 1]], dtype=bool)
    >>> predicted = np.array([[1, 0, 0, 1, 0, 0, 0]], dtype=bool)
    >>> scores = lesionwise_scores(truth, predicted, dilation=0)
    >>> scores["lesion_recall"], scores["lesion_f1"], round(scores["lesion_dice"], 3)
    (0.5, 0.5, 0.222)
    """
    truth, predicted = check_masks(truth, predicted)
    if dilation < 0 or min_size < 0:
        raise ValueError(f"dilation and min_size should be at least 0, got {dilation} and {min_size}.")
    neighbors = np.ones((NEIGHBORS,) * truth.ndim, dtype=bool)
    dilated = ndimage.binary_dilation(truth, neighbors, iterations=dilation) if dilation else truth
    lesions, n_lesions = ndimage.label(dilated, neighbors)
    detections, n_detections = ndimage.label(predicted, neighbors)
    sizes = np.bincount(lesions[truth], minlength=n_lesions + 1)[1:]
    touches = _overlap(lesions, detections, n_lesions, n_detections)[1:, 1:] > 0
    counted = sizes >= max(min_size, 1)
    found = touches.any(axis=1) & counted
    false = ~touches.any(axis=0)
    pairs = (_dice(truth & (lesions == k + 1), detections, touches[k]) for k in np.flatnonzero(found))
    return _lesionwise(int(counted.sum()), int(found.sum()), int(false.sum()), sum(pairs))


def _lesionwise(n_lesions, n_found, n_false, total_dice):
    def share(part, whole):
        return part / whole if whole else float("nan")

    return {
        "n_lesions": n_lesions,
        "n_found": n_found,
        "n_false_positives": n_false,
        "lesion_recall": share(n_found, n_lesions),
        "lesion_precision": share(n_found, n_found + n_false),
        "lesion_f1": share(2 * n_found, n_lesions + n_found + n_false),
        "lesion_dice": share(float(total_dice), n_lesions + n_false) if n_lesions else float("nan"),
    }


def _dice(lesion, detections, touching):
    """Dice between a lesion and all detections that touch it."""
    inside = np.r_[False, touching][detections]
    return 2 * np.count_nonzero(lesion & inside) / (np.count_nonzero(lesion) + np.count_nonzero(inside))


def panoptic_quality(truth: Array, predicted: Array, *, min_iou: float = 0.5) -> dict[str, float]:
    """Panoptic quality of a mask; its instances are the connected components.

    A detection matches a lesion if their intersection over union is more than `min_iou`; above one half a
    lesion has one match at most, so that no assignment problem is left.

    Parameters
    ----------
    truth, predicted : bool array of shape (n_slices, height, width) or (height, width)
        Masks of one scan on one grid.
    min_iou : float in [0.5, 1), default=0.5
        Smallest intersection over union of a true and a predicted instance that match.

    Returns
    -------
    dict of float
        ``panoptic_quality`` = ``recognition_quality`` (F1 of the matches) x ``segmentation_quality`` (mean
        intersection over union of the matches). All NaN where neither mask has an instance; the segmentation
        quality is 0 without a match.

    Raises
    ------
    ValueError
        If the masks differ in shape or `min_iou` is out of range.

    See Also
    --------
    lesionwise_scores : Several detections may find one lesion.

    References
    ----------
    .. [1] Kirillov et al., "Panoptic Segmentation", CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import panoptic_quality
    >>> truth = np.array([[1, 1, 1, 0, 0, 1]], dtype=bool)
    >>> predicted = np.array([[1, 1, 0, 0, 0, 0]], dtype=bool)
    >>> round(panoptic_quality(truth, predicted)["panoptic_quality"], 4)
    0.4444
    """
    truth, predicted = check_masks(truth, predicted)
    if not 0.5 <= min_iou < 1:
        raise ValueError(f"min_iou should be in [0.5, 1), got {min_iou}.")
    neighbors = np.ones((NEIGHBORS,) * truth.ndim, dtype=bool)
    lesions, n_lesions = ndimage.label(truth, neighbors)
    detections, n_detections = ndimage.label(predicted, neighbors)
    if not n_lesions + n_detections:
        names = ("panoptic_quality", "recognition_quality", "segmentation_quality")
        return dict.fromkeys(names, float("nan"))
    overlap = _overlap(lesions, detections, n_lesions, n_detections)
    union = overlap.sum(axis=1, keepdims=True) + overlap.sum(axis=0) - overlap
    iou = (overlap / np.maximum(union, 1))[1:, 1:]
    matched = iou[iou > min_iou]
    recognition = 2 * matched.size / (n_lesions + n_detections)
    segmentation = float(matched.mean()) if matched.size else 0.0
    return {
        "panoptic_quality": recognition * segmentation,
        "recognition_quality": recognition,
        "segmentation_quality": segmentation,
    }


def _overlap(lesions, detections, n_lesions, n_detections):
    """Voxels that lesion i and detection j share, int array (1 + n_lesions, 1 + n_detections)."""
    n = n_detections + 1
    pairs = np.bincount((lesions.astype(np.intp) * n + detections).ravel(), minlength=(n_lesions + 1) * n)
    return pairs.reshape(-1, n)


def check_masks(truth, predicted):
    """Return both as bool arrays of one shape or raise `ValueError`."""
    truth, predicted = np.asarray(truth, dtype=bool), np.asarray(predicted, dtype=bool)
    if truth.shape != predicted.shape or truth.ndim not in (2, 3):
        raise ValueError(
            "truth and predicted should have one shape, (n_slices, height, width) or (height, width), "
            f"got {truth.shape} and {predicted.shape}."
        )
    return truth, predicted
