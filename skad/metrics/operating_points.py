"""Counts of true and false positives at each threshold, and the scores that follow from them.

The exact metrics (one point per distinct score of an abnormal pixel) and `ScoreHistogram` (one point per bin)
both end here, so that they can differ in their counts only. A pixel is called abnormal where its score is *at
least* the threshold, as in scikit-learn.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """Operating points from the highest threshold to the lowest.

    Parameters
    ----------
    thresholds : ndarray of shape (n_points,)
        Descending.
    true_positives, false_positives : ndarray of int, shape (n_points,)
        Abnormal and normal pixels whose score is at least the threshold.
    tied_negatives : ndarray of int, shape (n_points,)
        Normal pixels that share the point's score: each of them is half a loss in the ROC-AUC.
    n_positives, n_negatives : int
        All abnormal and all normal pixels.
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray
    tied_negatives: np.ndarray
    n_positives: int
    n_negatives: int

    def roc_auc(self):
        """Area under the ROC curve: the chance that an abnormal pixel outranks a normal one, ties half."""
        new_positives = np.diff(self.true_positives, prepend=0)
        outranked = self.n_negatives - self.false_positives + 0.5 * self.tied_negatives
        return float(np.dot(new_positives / self.n_positives, outranked / self.n_negatives))

    def average_precision(self):
        """Mean precision over the abnormal pixels, scikit-learn's step-wise area under the curve."""
        new_positives = np.diff(self.true_positives, prepend=0)
        precision = self.true_positives / (self.true_positives + self.false_positives)
        return float(np.dot(new_positives / self.n_positives, precision))

    def dice(self):
        """Dice (F1) of the pixels at or above each threshold, shape (n_points,)."""
        return 2 * self.true_positives / (self.true_positives + self.false_positives + self.n_positives)

    def youden(self):
        """Youden's J = sensitivity + specificity - 1 at each threshold, shape (n_points,)."""
        return self.true_positives / self.n_positives - self.false_positives / self.n_negatives

    def roc_curve(self):
        """Return false and true positive rates and thresholds, from (0, 0) at an infinite threshold on."""
        fpr = np.r_[0.0, self.false_positives / self.n_negatives]
        tpr = np.r_[0.0, self.true_positives / self.n_positives]
        return fpr, tpr, np.r_[np.inf, self.thresholds]


def points_at_positives(positives, negatives):
    """Operating points at the distinct scores of the abnormal pixels.

    No other threshold can be best: between two of them only normal pixels join, which lowers precision, Dice
    and Youden's J. So one sort of the (many) normal scores without their indices is enough, which is what
    makes this faster than ranking all pixels.

    Parameters
    ----------
    positives, negatives : ndarray of shape (n_positives,), (n_negatives,)

    Returns
    -------
    OperatingPoints
    """
    negatives = np.sort(negatives)
    scores, counts = np.unique(positives, return_counts=True)
    below, not_above = np.searchsorted(negatives, scores), np.searchsorted(negatives, scores, side="right")
    return OperatingPoints(
        thresholds=scores[::-1],
        true_positives=counts[::-1].cumsum(),
        false_positives=(negatives.size - below)[::-1],
        tied_negatives=(not_above - below)[::-1],
        n_positives=positives.size,
        n_negatives=negatives.size,
    )


def points_at_scores(positives, negatives, *, n_thresholds=None):
    """Operating points at the distinct scores of all pixels, or at `n_thresholds` quantiles of them.

    We place thresholds at quantiles because evenly spaced ones are wrong by 0.1 AUC where the scores have a
    heavy tail. The lowest and the highest score are always among them. Pixels between two thresholds count as
    tied.

    Parameters
    ----------
    positives, negatives : ndarray of shape (n_positives,), (n_negatives,)
    n_thresholds : int or None, default=None
        Number of quantiles, at least 2; None uses every distinct score.

    Returns
    -------
    OperatingPoints

    Raises
    ------
    ValueError
        If `n_thresholds` is less than 2.
    """
    if n_thresholds is not None and n_thresholds < 2:
        raise ValueError(
            f"n_thresholds should be at least 2, or None for every distinct score, got {n_thresholds}."
        )
    scores = np.sort(np.concatenate([positives, negatives]))
    if n_thresholds is not None:
        scores = scores[np.linspace(0, scores.size - 1, n_thresholds).round().astype(int)]
    scores = np.unique(scores)
    return points_in_bins(_counts_from(scores, positives), _counts_from(scores, negatives), scores)


def points_in_bins(positive_counts, negative_counts, thresholds):
    """Operating points of scores counted in bins; pixels of one bin are tied.

    Parameters
    ----------
    positive_counts, negative_counts : ndarray of int, shape (n_bins,)
        Abnormal and normal pixels of each bin, bins ascending, none of them empty.
    thresholds : ndarray of shape (n_bins,)
        The smallest score that falls into each bin.

    Returns
    -------
    OperatingPoints
    """
    true_positives, false_positives = positive_counts[::-1].cumsum(), negative_counts[::-1].cumsum()
    return OperatingPoints(
        thresholds=thresholds[::-1],
        true_positives=true_positives,
        false_positives=false_positives,
        tied_negatives=negative_counts[::-1],
        n_positives=int(true_positives[-1]),
        n_negatives=int(false_positives[-1]),
    )


def _counts_from(edges, scores):
    """Scores from each edge up to the next one, the last edge open to infinity, shape (n_edges,)."""
    return np.diff(np.searchsorted(np.sort(scores), edges), append=scores.size)
