"""What else is done with a scan while it and its map are in memory."""

from typing import Any

from skad.derivatives.record import Record
from skad.io import Volume
from skad.utils.typing import FloatArray


class Visitor:
    """Base class of objects that process each scan while it and its map are in memory.

    See Also
    --------
    skad.report.Gallery : The visitor that makes the pages of a report.
    skad.VolumeAnomalyDetector : Its ``score_cohort`` takes a visitor.

    Examples
    --------
    >>> import tempfile
    >>> from skad.derivatives import Visitor
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.scoring import IntensityScorer
    >>> volumes = make_phantom(n_subjects=1, shape=(24, 28, 8), random_state=0)
    >>> prepare = VolumePreprocessor(size=(32, 32))
    >>> detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=prepare).fit(volumes)
    >>> class Peaks(Visitor):
    ...     def visit(self, record, volume, anomaly):
    ...         return record.peak
    ...
    ...     def keep(self, record, result):
    ...         print(record.subject, round(result, 1))
    >>> maps = detector.score_cohort(volumes, out=tempfile.mkdtemp(), visitor=Peaks())
    phantom01 ...
    """

    def is_done(self, record: Record) -> bool:
        """Whether a map that is there already needs no visit."""
        return True

    def visit(self, record: Record, volume: Volume, anomaly: FloatArray) -> Any:
        """Work on a scan, in the process that scored it; what is returned goes to `keep`."""

    def keep(self, record: Record, result: Any) -> None:
        """Take the result of a visit, in the process that asked for the maps."""
