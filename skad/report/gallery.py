"""Pages of a report, made while the scans and their maps are in memory."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from skad.derivatives import Record, Visitor
from skad.derivatives.naming import figure_path, references_of
from skad.derivatives.writer import write_references
from skad.io import Volume
from skad.metrics import ScoreHistogram
from skad.plotting import plot_volume, save_figure
from skad.postprocessing import voxel_volume
from skad.postprocessing.lesions import PEAK
from skad.report.html import SubjectReport
from skad.report.viewer import viewer_data
from skad.utils.messages import one_line
from skad.utils.typing import FloatArray

VIEWERS = 10  # subjects with a page: beyond that a browser is slow to open the file
_AXES = ("x_mm", "y_mm", "z_mm")


@dataclass(frozen=True)
class Page:
    """What a report tells of one map; `histogram` holds its voxels where there are labels."""

    subject: SubjectReport
    histogram: ScoreHistogram | None


class Gallery(Visitor):
    """Visitor that makes figures of maps and the pages of a report for the highest peaks.

    Pass it to :meth:`skad.VolumeAnomalyDetector.score_cohort` and then to :func:`skad.report.write_report`,
    so that no scan is read again for its page.

    Parameters
    ----------
    viewers : int, default=10
        Number of subjects with a page of their own.
    figures : bool, default=False
        Write a figure of each map, ``sub-*/figures/*.png``.
    threshold : float, default=None
        Scores above it are abnormal; None uses that of each map, if it has one.
    detector : VolumeAnomalyDetector, default=None
        Detector whose normal references are saved beside the maps and shown; None shows those already saved.

    Attributes
    ----------
    pages : dict of pathlib.Path to SubjectReport
        The pages, by the path of the map.
    histogram : ScoreHistogram
        Scores of the voxels of all maps with labels.

    See Also
    --------
    skad.report.write_report : Writes the report.
    skad.derivatives.Visitor : The base class.

    Examples
    --------
    >>> import tempfile
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.report import Gallery, write_report
    >>> from skad.scoring import IntensityScorer
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> detector = VolumeAnomalyDetector(
    ...     IntensityScorer(), preprocessor=VolumePreprocessor(size=(32, 32))
    ... ).fit(volumes)
    >>> folder, gallery = tempfile.mkdtemp(), Gallery()
    >>> maps = detector.score_cohort(volumes, out=folder, visitor=gallery)
    >>> write_report(maps, volumes, f"{folder}/report.html", gallery=gallery)
    {}
    """

    def __init__(
        self,
        *,
        viewers: int = VIEWERS,
        figures: bool = False,
        threshold: float | None = None,
        detector: Any = None,
    ):
        self.viewers = viewers
        self.figures = figures
        self.threshold = threshold
        self.detector = detector
        self.pages: dict[Path, SubjectReport] = {}
        self.histogram = ScoreHistogram()
        self._floor = -np.inf  # the lowest peak with a viewer, once there are as many as wanted

    def __getstate__(self) -> dict[str, Any]:
        """What a worker needs: it makes pages and keeps none."""
        return vars(self) | {"pages": {}, "histogram": None}

    def is_done(self, record: Record) -> bool:
        """Whether the picture of a map is there, if pictures are wanted."""
        pictured = not self.figures or figure_path(record.path).exists()
        return pictured and (self.detector is None or bool(references_of(record.path)))

    def visit(self, record: Record, volume: Volume, anomaly: FloatArray) -> Page:
        """Make the page and, if wanted, the references and the picture of a map that was made now."""
        references = {} if self.detector is None else self.detector.reference_of(volume)
        write_references(references, volume, record.path)
        page = self.page(record, volume, anomaly, references)
        if self.figures:
            names = [name for name in record.sidecar.contrasts if name in _shown(volume, record)]
            save_figure(plot_volume(volume, anomaly, contrasts=names), figure_path(record.path))
        return page

    def page(
        self,
        record: Record,
        volume: Volume | None,
        anomaly: FloatArray,
        references: dict[str, FloatArray] | None = None,
    ) -> Page:
        """Make the page of a map.

        Parameters
        ----------
        record : Record
        volume : Volume or None
            None shows the map alone.
        anomaly : array of shape ``record.shape``
        references : dict of str to array, default=None
            Normal references by contrast; None reads those beside the map.
        """
        labels, unreadable = _labels(volume)
        rule = record.sidecar.rule
        threshold = rule.threshold if self.threshold is None and rule else self.threshold
        viewer = None
        if self.viewers and record.peak > self._floor:
            images = {} if volume is None else {n: volume.contrasts[n] for n in _shown(volume, record)}
            references = record.references if references is None else references
            images |= {f"normal reference of {n}": image for n, image in references.items()}
            affine = record.affine if volume is None else volume.affine
            start = record.sidecar.summary["percentile_99"] if threshold is None else threshold
            viewer = viewer_data(images, anomaly, affine, threshold=start, labels=labels)
        subject = SubjectReport(
            name=record.name,
            peak=float(np.nanmax(anomaly)),
            volume_ml=np.nan if threshold is None else volume_above(anomaly, threshold, record),
            warnings=unreadable,
            lesions=None if rule is None else [_at_peak(row) for row in record.lesions],
            viewer=viewer,
        )
        return Page(subject, None if labels is None else ScoreHistogram().update(labels, anomaly))

    def keep(self, record: Record, result: Page) -> None:
        """Take a page; only as many viewers as wanted are kept, of the highest peaks."""
        self.pages[record.path] = result.subject
        if result.histogram is not None:
            self.histogram = self.histogram + result.histogram
        shown = sorted((page.peak, path) for path, page in self.pages.items() if page.viewer)
        for _, path in shown[: max(0, len(shown) - self.viewers)]:
            self.pages[path] = replace(self.pages[path], viewer=None)
        if len(shown) >= self.viewers > 0:
            self._floor = shown[-self.viewers][0]


def volume_above(anomaly: FloatArray, threshold: float, record: Record) -> float:
    """Volume of the voxels of a map above a threshold, mL."""
    return float(np.count_nonzero(anomaly > threshold) * voxel_volume(record.affine))


def _shown(volume, record):
    """Names of the contrasts that the subject has."""
    return [name for name in volume.contrasts if name not in record.sidecar.missing_contrasts]


def _labels(volume):
    """The labels of a volume, where it has some that can be read, and what to tell where they cannot."""
    if volume is None or not volume.has_labels:
        return None, []
    try:
        return volume.labels, []
    except (ValueError, OSError) as error:
        return None, [f"labels: {one_line(error)}"]


def _at_peak(row):
    """A row of lesions.csv placed at the lesion's peak: its centroid may lie outside of the lesion."""
    return row | {axis: row[peak] for axis, peak in zip(_AXES, PEAK, strict=True) if peak in row}
