"""Lesions of the labels, one row each, and how many of which size are found."""

import numpy as np
from scipy import ndimage

from skad.metrics import UndefinedScoreError, lesion_size_report
from skad.metrics.instances import NEIGHBORS

VOLUME_EDGES = (0.0, 100.0, 1_000.0, 10_000.0, 100_000.0)
"""Lower ends of the ranges of lesion volumes, mm3; the last range has no upper end."""


def lesion_rows(y, anomaly, *, threshold, voxel_size, dilation=0):
    """One row per connected lesion of the labels of a scan.

    Parameters
    ----------
    y, anomaly : array of shape (n_slices, height, width)
        Labels; map, high where abnormal, NaN background.
    threshold : float or None
        A lesion is found where a voxel of it, dilated, is at or above the threshold.
    voxel_size : tuple of 3 float
        mm.
    dilation : int, default=0
        Voxels, as in :func:`skad.metrics.lesionwise_scores`; lesions that then are connected are one.

    Returns
    -------
    list of dict
        ``label`` (the most frequent class), ``n_voxels``, ``volume_mm3``, ``largest_pixels`` (of its largest
        slice), ``peak_score`` and, with a threshold, ``found`` (0 or 1) and ``covered``, the share of its
        voxels.
    """
    truth = (y > 0) & ~np.isnan(anomaly)
    neighbors = np.ones((NEIGHBORS,) * 3, dtype=bool)
    dilated = ndimage.binary_dilation(truth, neighbors, iterations=dilation) if dilation else truth
    components, n = ndimage.label(dilated, neighbors)
    boxes = ndimage.find_objects(components)
    rows = []
    for k, box in enumerate(boxes[:n], start=1):
        around = components[box] == k
        inside = around & truth[box]
        scores = anomaly[box]
        row = {
            "label": int(np.bincount(y[box][inside]).argmax()),
            "n_voxels": int(np.count_nonzero(inside)),
            "volume_mm3": float(np.count_nonzero(inside) * np.prod(voxel_size)),
            "largest_pixels": int(inside.sum(axis=(1, 2)).max()),
            "peak_score": float(scores[inside].max()),
        }
        if threshold is not None and not np.isnan(threshold):
            row["found"] = int((scores[around & ~np.isnan(scores)] >= threshold).any())
            row["covered"] = float((scores[inside] >= threshold).mean())
        rows.append(row)
    return rows


def volume_table(lesions, edges=VOLUME_EDGES):
    """Lesions found per range of volumes.

    Parameters
    ----------
    lesions : list of dict
        As of :func:`lesion_rows`, with a threshold.
    edges : sequence of float
        Lower ends of the ranges, mm3, ascending.

    Returns
    -------
    list of dict
        Of every range with a lesion: ``smallest_mm3``, ``below_mm3`` (infinite in the last range),
        ``n_lesions``, ``n_found``, ``recall``.
    """
    volumes = np.array([row["volume_mm3"] for row in lesions])
    found = np.array([row.get("found", np.nan) for row in lesions], dtype=float)
    rows = []
    for low, high in zip(edges, (*edges[1:], float("inf")), strict=True):
        inside = (volumes >= low) & (volumes < high) if len(lesions) else np.zeros(0, bool)
        if inside.any():
            rows.append(
                {
                    "smallest_mm3": float(low),
                    "below_mm3": float(high),
                    "n_lesions": int(inside.sum()),
                    "n_found": float(found[inside].sum()),
                    "recall": float(found[inside].mean()),
                }
            )
    return rows


class SliceSizes:
    """ROC-AUC of single slices by the pixels of their lesion (A, Fig. 7), over scans that come one by one.

    Parameters
    ----------
    step : int
        Width of a size range, pixels of the slices as they are given (A: 200 at 128 x 128).
    """

    def __init__(self, step):
        self.step = step
        self._moments = {}

    def update(self, y, anomaly):
        """Add a scan: labels and map, each (n_slices, height, width)."""
        try:
            report = lesion_size_report(y, anomaly, step=self.step)
        except UndefinedScoreError:
            return  # no slice with both kinds of pixels
        for row in report:
            n, mean, sd = row["n_slices"], row["roc_auc"], row["roc_auc_sd"]
            if n:
                self._add(row["smallest"], np.array([n, n * mean, n * (sd**2 + mean**2)]))

    def add(self, other):
        """Add what another one has counted."""
        for smallest, moments in other._moments.items():
            self._add(smallest, moments)

    def _add(self, smallest, moments):
        self._moments[smallest] = self._moments.get(smallest, 0) + moments

    def rows(self):
        """One row per size range that has slices, smallest first; the deviation is over slices."""
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
