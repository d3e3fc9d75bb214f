"""Scores by lesion size, gathered volume by volume."""

import numpy as np

from skad.metrics import UndefinedScoreError, lesion_size_report


class SizeTable:
    """Mean and standard deviation of the slices' ROC-AUC per lesion size, over volumes that come one by one.

    Parameters
    ----------
    step : int
        Width of a size range, pixels of the volume's own slices (A, Fig. 7: 200).
    """

    def __init__(self, step):
        self.step = step
        self._moments = {}

    def update(self, labels, anomaly):
        """Add a volume: labels and map, each (n_slices, rows, columns)."""
        try:
            report = lesion_size_report(labels, anomaly, step=self.step)
        except UndefinedScoreError:
            return  # no slice with both kinds of pixels
        for row in report:
            n, mean, sd = row["n_slices"], row["roc_auc"], row["roc_auc_sd"]
            if n:
                moments = np.array([n, n * mean, n * (sd**2 + mean**2)])
                self._moments[row["smallest"]] = self._moments.get(row["smallest"], 0) + moments

    def rows(self):
        """One row per size range that has slices, smallest lesions first."""
        return [self._row(smallest, *self._moments[smallest]) for smallest in sorted(self._moments)]

    def _row(self, smallest, n, total, squares):
        mean = total / n
        return {
            "smallest_pixels": smallest,
            "largest_pixels": smallest + self.step - 1,
            "n_slices": int(n),
            "roc_auc": float(mean),
            "roc_auc_sd": float(np.sqrt(max(squares / n - mean**2, 0))),
        }
