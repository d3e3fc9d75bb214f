"""Anatomical fidelity of normal references (K, section II-D)."""

from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from skad.metrics import overlap_score, quality_score
from skad.utils.typing import Array, FloatArray
from skad.utils.validation import check_pairs, foreground_of

_CHUNK = 32  # slices whose probabilities are in memory at a time


def anatomical_fidelity(segmenter: Any, pairs: Array) -> dict[str, FloatArray]:
    """Measure how much anatomy references keep: quality and overlap of their segmentations.

    Parameters
    ----------
    segmenter : AnatomySegmenter
        Fitted on labeled normal slices of the same kind as the images (K: other patients than those to be
        judged); or any classifier with its `predict_proba`.
    pairs : array-like of shape (n_samples, 2, n_contrasts, height, width)
        Images and their references, as a reconstructor's `transform` gives them. NaN background.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_samples,)
        ``quality_score`` (K, eq. 9; nats summed over the slice: negative where the reference is harder to
        segment than the image) and ``overlap_score`` (K, eq. 10; mean Dice over the image's classes). NaN
        for a slice without foreground: average with ``np.nanmean``.

    Raises
    ------
    ValueError
        `pairs` breaks the contract, or has another number of contrasts than the segmenter saw.

    See Also
    --------
    skad.anatomy.AnatomySegmenter : The segmenter.
    skad.metrics.quality_score : The first score.
    skad.metrics.overlap_score : The second score.

    Notes
    -----
    Segmentations are compared, not ground truth: labels are needed to train the segmenter only. A reference
    that is another, sharp anatomy has good quality and bad overlap; a blurry one the reverse. An abnormality
    that the reference leaves out, as it should, costs overlap too: K scores images with lesions all the same.

    The quality score is as good as the segmenter's doubt. On the phantom, segmenters trained for seconds were
    surely wrong about some blurred slices, whose quality then was positive; overlap fell all the same. Look
    at the scores of blurred copies of normal slices before you trust those of references.

    References
    ----------
    Kobayashi et al. (K), eqs. (9) and (10), Fig. 4.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.anatomy import AnatomySegmenter, anatomical_fidelity
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 12, 16)).astype("float32")
    >>> segmenter = AnatomySegmenter(width=4, depth=1, max_epochs=1).fit(X, np.where(X[:, 0] > 0, 1, 0))
    >>> anatomical_fidelity(segmenter, np.stack([X, X], axis=1))
    {'quality_score': array([0., 0., 0., 0.]), 'overlap_score': array([1., 1., 1., 1.])}
    """
    pairs = check_pairs(pairs, name="pairs")
    parts = [_fidelity(segmenter, pairs[chunk]) for chunk in gen_batches(len(pairs), _CHUNK)]
    quality, overlap = (np.concatenate(scores) for scores in zip(*parts, strict=True))
    return {"quality_score": quality, "overlap_score": overlap}


def _fidelity(segmenter, pairs):
    images = pairs[:, 0]
    foreground = foreground_of(images)
    references = np.where(foreground[:, None], pairs[:, 1], np.float32(np.nan))
    probabilities = [segmenter.predict_proba(each) for each in (images, references)]
    labels = [np.where(foreground, each.argmax(axis=1), -1) for each in probabilities]
    overlap = overlap_score(*labels)
    return np.where(np.isnan(overlap), np.nan, quality_score(*probabilities)), overlap
