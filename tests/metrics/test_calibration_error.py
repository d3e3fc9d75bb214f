"""Expected calibration error, bin by bin."""

import numpy as np
import pytest

from skad.metrics import foreground_calibration_error


def test_it_is_the_weighted_gap_of_the_bins():
    rng = np.random.default_rng(0)
    p, y = rng.random((3, 4, 5)), rng.integers(0, 3, (3, 4, 5))
    p[0, 0] = np.nan
    for label in (None, 2):
        kept = ~np.isnan(p) & ((y == 0) | (y == 2) | (label is None))
        bins = np.digitize(p[kept], np.linspace(0, 1, 8)[1:-1])
        gaps = [abs(p[kept][bins == b].sum() - (y[kept][bins == b] > 0).sum()) for b in range(7)]
        expected = sum(gaps) / kept.sum()
        assert foreground_calibration_error(y, p, n_bins=7, label=label) == pytest.approx(expected)


def test_certainty_has_a_bin():
    assert foreground_calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0


def test_scores_are_no_probabilities():
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 0 to 3"):
        foreground_calibration_error(np.array([1, 0]), np.array([3.0, 0.0]))
