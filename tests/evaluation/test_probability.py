"""Scores as probabilities."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from skad.evaluation import ScoreProbability, evaluate_slices
from skad.metrics import ScoreHistogram


def test_probabilities_are_those_of_isotonic_regression_on_the_pixels():
    rng = np.random.default_rng(0)
    scores = rng.integers(1, 40, size=500).astype(float)
    y = (rng.random(500) < scores / 60).astype(int)
    found = ScoreProbability().fit(ScoreHistogram(bits=20).update(y, scores))(scores)
    np.testing.assert_allclose(found, IsotonicRegression().fit_transform(scores, y), atol=1e-9)


def test_scores_as_probabilities_are_calibrated_where_they_were_learned():
    rng = np.random.default_rng(1)
    y = (rng.random((2, 30, 31)) < 0.3).astype(int)
    anomaly = y + rng.normal(size=y.shape)
    probability = ScoreProbability().fit(ScoreHistogram(bits=20).update(y, anomaly))
    same = evaluate_slices(y, anomaly, ["a", "b"], probability=probability)
    other = evaluate_slices(1 - y, anomaly, ["a", "b"], probability=probability)
    assert same.pooled[0]["calibration_error"] < 0.01 < 0.3 < other.pooled[0]["calibration_error"]
