"""Which voxels of a map are lesions."""

from dataclasses import dataclass
from typing import Any, Self

from skad.composition import last_step


@dataclass(frozen=True)
class LesionRule:
    """The threshold that makes a map a mask of lesions, and its origin.

    Attributes
    ----------
    threshold : float
        Voxels with a higher anomaly score are abnormal.
    min_volume : float
        Smallest lesion, mL; smaller components are dropped.
    fpr : float or None
        The calibrated false-positive rate; None if the threshold is the detector's own, which guarantees
        none.
    unit : str or None
        What the rate counts: "pixel" or "patient", the parameter of
        :class:`skad.calibration.ConformalCalibrator`.

    See Also
    --------
    skad.calibration.ConformalCalibrator : Thresholds with a guaranteed rate.

    Examples
    --------
    >>> LesionRule(threshold=3.5, min_volume=0.01).as_json()
    {'Threshold': 3.5, 'MinVolumeML': 0.01}
    """

    threshold: float
    min_volume: float = 0.01
    fpr: float | None = None
    unit: str | None = None

    @classmethod
    def of(cls, detector: Any, calibrator: Any = None, *, min_volume: float = 0.01) -> Self | None:
        """The rule of a detector: at the calibrated rate, or at its own threshold.

        Parameters
        ----------
        detector : VolumeAnomalyDetector
            Fitted.
        calibrator : ConformalCalibrator, default=None
            Around the detector.
        min_volume : float, default=0.01
            mL.

        Returns
        -------
        LesionRule or None
            None where neither the detector nor the last step of its pipeline has an ``offset_``.

        Raises
        ------
        ValueError
            `min_volume` is negative, or the calibrator has too few patients for its rate.
        """
        if min_volume < 0:
            raise ValueError(f"min_volume (--min-volume) should be at least 0 mL, got {min_volume:g}.")
        if calibrator is not None:
            return cls(-float(calibrator.offset_), float(min_volume), float(calibrator.fpr), calibrator.unit)
        offset = getattr(detector, "offset_", getattr(last_step(detector.pipeline_), "offset_", None))
        return None if offset is None else cls(-float(offset), float(min_volume))

    @property
    def origin(self) -> str:
        """Where the threshold is from, and which false-positive rate it guarantees, in words."""
        if self.fpr is None:
            return "the detector's own, which guarantees no false-positive rate"
        return f"calibrated to a {self.unit}-wise false-positive rate of {self.fpr:g} in normal subjects"

    def as_json(self) -> dict[str, Any]:
        """What a sidecar says of the rule."""
        settings: dict[str, Any] = {"Threshold": self.threshold, "MinVolumeML": self.min_volume}
        if self.fpr is not None:
            settings |= {"FalsePositiveRate": self.fpr, "Unit": self.unit}
        return settings

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> Self:
        """The rule that a sidecar describes."""
        return cls(
            float(settings["Threshold"]),
            float(settings["MinVolumeML"]),
            settings.get("FalsePositiveRate"),
            settings.get("Unit"),
        )
