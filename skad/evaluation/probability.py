"""Scores of a detector as probabilities of being abnormal, learned from labeled validation scans."""

from typing import Self

import numpy as np
from sklearn.isotonic import IsotonicRegression

from skad.metrics import ScoreHistogram
from skad.utils.typing import Array, FloatArray


class ScoreProbability:
    """Isotonic regression from anomaly scores to probabilities of being abnormal.

    The probability of a score is the share of abnormal pixels among those with that score. It is valid for
    scans with as many abnormal voxels as those it was fitted on. It also serves to measure calibration. For
    thresholds without labels see :class:`skad.calibration.ConformalCalibrator`.

    See Also
    --------
    skad.metrics.foreground_calibration_error : Measures how well probabilities are calibrated.
    skad.calibration.ConformalCalibrator : Thresholds without labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.evaluation import ScoreProbability
    >>> from skad.metrics import ScoreHistogram
    >>> histogram = ScoreHistogram().update(np.array([0, 0, 1, 0, 1]), np.array([1.0, 1, 2, 2, 3]))
    >>> ScoreProbability().fit(histogram)(np.array([1.0, 2.0, np.nan, 9.0]))
    array([0. , 0.5, nan, 1. ])
    """

    def fit(self, histogram: ScoreHistogram) -> Self:
        """Learn from the counts of normal and abnormal scores.

        Parameters
        ----------
        histogram : ScoreHistogram

        Returns
        -------
        ScoreProbability

        Raises
        ------
        UndefinedScoreError
            If there are no normal or no abnormal pixels.
        """
        points = histogram.operating_points()
        abnormal = np.diff(points.true_positives, prepend=0)
        total = abnormal + np.diff(points.false_positives, prepend=0)
        self._edges = points.thresholds[::-1].astype(np.float64)
        regression = IsotonicRegression(y_min=0, y_max=1)
        self._shares = regression.fit_transform(
            np.arange(total.size), (abnormal / total)[::-1], sample_weight=total[::-1]
        )
        return self

    def __call__(self, anomaly: Array) -> FloatArray:
        """Probabilities of scores, NaN where a score is NaN; scores outside those seen get the nearest's."""
        scores = np.asarray(anomaly)
        bins = np.searchsorted(self._edges, scores, side="right") - 1
        shares = self._shares[np.clip(bins, 0, self._shares.size - 1)]
        return np.where(np.isnan(scores), np.nan, shares)
