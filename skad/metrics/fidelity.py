"""Anatomical fidelity of a normal reference, seen through a segmentation network (K, section II-D)."""

import numpy as np
from scipy.special import entr

from skad.utils.typing import Array, FloatArray


def quality_score(probabilities: Array, probabilities_of_reference: Array) -> FloatArray:
    """Entropy of the image's segmentation minus that of its reference's (K, eq. 9).

    Blurry references are hard to segment: the entropy of their softmax is high and the score negative. A
    reference as sharp as the image scores 0. The entropy is summed over pixels, so scores compare between
    images of one size only.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes, height, width)
        Softmax of the segmentation of each image; background pixels are NaN in every class and are left out.
    probabilities_of_reference : array-like of the same shape
        The same for the references, with the same background.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        In nats.

    Raises
    ------
    ValueError
        If the shapes or backgrounds differ or foreground probabilities do not add up to 1.

    See Also
    --------
    skad.metrics.overlap_score : Agreement of the segmentations.
    skad.anatomy.anatomical_fidelity : Both scores of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import quality_score
    >>> sharp = np.array([1.0, 0.0]).reshape(1, 2, 1, 1)
    >>> blurry = np.array([0.5, 0.5]).reshape(1, 2, 1, 1)
    >>> quality_score(sharp, blurry).round(4)
    array([-0.6931])
    """
    of_image, of_reference = np.asarray(probabilities), np.asarray(probabilities_of_reference)
    if of_image.ndim != 4 or of_image.shape != of_reference.shape:
        raise ValueError(
            "probabilities and probabilities_of_reference should have one shape, "
            f"(n_samples, n_classes, height, width), got {of_image.shape} and {of_reference.shape}."
        )
    _check_probabilities(of_image, "probabilities")
    _check_probabilities(of_reference, "probabilities_of_reference")
    _check_same_background(np.isnan(of_image[:, 0]), np.isnan(of_reference[:, 0]))
    return _entropy(of_image) - _entropy(of_reference)


def overlap_score(labels: Array, labels_of_reference: Array) -> FloatArray:
    """Mean Dice between the segmentations of image and reference over the image's classes (K, eq. 10).

    Parameters
    ----------
    labels : array-like of shape (n_samples, height, width)
        Anatomical class of each pixel of the image; NaN or a negative label in the background, which is left
        out. Every other label that appears in an image counts as one of its classes, 0 too.
    labels_of_reference : array-like of the same shape
        The same for the references, with the same background.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        From 0 to 1; NaN for an image that is all background.

    Raises
    ------
    ValueError
        If the shapes or backgrounds differ.

    See Also
    --------
    skad.metrics.quality_score : Sharpness of the reference.
    skad.anatomy.anatomical_fidelity : Both scores of pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import overlap_score
    >>> overlap_score(np.array([[[1, 1, 2, 2]]]), np.array([[[1, 1, 1, 2]]])).round(4)
    array([0.7333])
    """
    of_image, of_reference = np.asarray(labels), np.asarray(labels_of_reference)
    if of_image.ndim != 3 or of_image.shape != of_reference.shape:
        raise ValueError(
            "labels and labels_of_reference should have one shape (n_samples, height, width), "
            f"got {of_image.shape} and {of_reference.shape}."
        )
    _check_same_background(~(of_image >= 0), ~(of_reference >= 0))
    return np.array([_mean_dice(*pair) for pair in zip(of_image, of_reference, strict=True)])


def _entropy(probabilities):
    """Entropy of each image's softmax, summed over foreground pixels, shape (n_samples,), in nats."""
    return np.nansum(entr(probabilities.astype(np.float64)), axis=(1, 2, 3))


def _mean_dice(labels, labels_of_reference):
    classes = np.unique(labels[labels >= 0])
    if not classes.size:
        return np.nan
    return np.mean([_dice(labels == k, labels_of_reference == k) for k in classes])


def _dice(first, second):
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def _check_probabilities(probabilities, name):
    total = probabilities.sum(axis=1, dtype=np.float64)
    is_valid = (np.abs(total - 1) < 1e-2) & (probabilities >= 0).all(
        axis=1
    )  # half precision sums to 1 within 1e-2
    is_background = np.isnan(probabilities).all(axis=1)
    if not (is_valid | is_background).all():
        worst = total[~(is_valid | is_background)][0]
        raise ValueError(
            f"{name} should be >= 0 and add up to 1 over the classes of each pixel, or be NaN in all of them "
            f"(background), got a pixel whose sum is {worst:.4g}: give the softmax, not the logits."
        )


def _check_same_background(first, second):
    if (first != second).any():
        raise ValueError(
            "Image and reference should have the same background, got "
            f"{np.count_nonzero(first != second)} pixels that are background in only one of them."
        )
