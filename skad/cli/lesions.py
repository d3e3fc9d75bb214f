"""What ``skad score`` makes of a map when a threshold is known: a mask, and a table of lesions."""

from dataclasses import dataclass

from skad.calibration import ConformalCalibrator
from skad.cli.output import ENDING, GENERATED_BY, map_path, sidecar_path, write_json, write_table
from skad.io import write_map
from skad.postprocessing import lesion_table, remove_small_lesions

TABLE = "lesions.csv"
COLUMNS = ("lesion", "volume_ml", "x_mm", "y_mm", "z_mm", "peak_score")


@dataclass(frozen=True)
class LesionRule:
    """Which voxels are lesions.

    Attributes
    ----------
    threshold : float
        Anomaly scores above it are abnormal.
    min_volume : float
        mL; smaller components are dropped.
    calibrator : ConformalCalibrator or None
        Gives p-values, and the promise that makes a mask worth writing.
    """

    threshold: float
    min_volume: float
    calibrator: ConformalCalibrator | None = None

    def settings(self):
        """What a sidecar tells of the rule."""
        settings = {"Threshold": self.threshold, "MinVolumeML": self.min_volume}
        if self.calibrator is not None:
            settings |= {"FalsePositiveRate": self.calibrator.fpr, "Unit": self.calibrator.unit}
        return settings

    def write(self, volume, anomaly, out):
        """Write lesions.csv and, if calibrated, the mask of a volume; returns their number and volume."""
        path = map_path(out, volume)
        mask = remove_small_lesions(anomaly > self.threshold, volume.affine, min_volume=self.min_volume)
        p_values, columns = None, COLUMNS
        if self.calibrator is not None:
            mask_path = path.with_name(path.name.replace(ENDING, "desc-lesions_mask"))
            write_map(mask, volume, mask_path)
            write_json(self._sidecar(path.relative_to(out)), sidecar_path(mask_path))
            p_values, columns = self.calibrator.p_values_of, (*COLUMNS, "p_value")
        lesions = lesion_table(mask, anomaly, volume.affine, p_values=p_values)
        write_table(lesions, path.parent.parent / TABLE, columns=columns)
        return {"n_lesions": len(lesions), "lesion_volume_ml": sum(row["volume_ml"] for row in lesions)}

    def _sidecar(self, source):
        return {
            "Description": "Voxels above the calibrated threshold, in components that are large enough",
            "Type": "Lesion",
            "Manual": False,
            "Sources": [f"bids::{source.as_posix()}"],
            "SpatialReference": "orig",
            **self.settings(),
            "GeneratedBy": GENERATED_BY,
        }


def lesion_rule(path, detector, calibrator, *, fpr=None, min_volume=0.01):
    """The rule of a detector: at `fpr`, at the calibrated rate, or at the detector's own threshold, if any.

    Returns
    -------
    LesionRule or None
        None where no threshold is known.

    Raises
    ------
    ValueError
        `fpr` is asked of a detector that is not calibrated, or calibrated on too few subjects.
    """
    if min_volume < 0:
        raise ValueError(f"--min-volume should be at least 0 mL, got {min_volume:g}.")
    if calibrator is not None:
        calibrator.set_params(fpr=calibrator.fpr if fpr is None else fpr)._validate_params()
        return LesionRule(-calibrator.offset_, min_volume, calibrator)
    if fpr is not None:
        raise ValueError(
            f"--fpr {fpr:g} needs a calibrated detector, which {path} is not: first run "
            f"`skad calibrate {path} NORMAL --out calibrated.skad` on a folder of normal subjects."
        )
    steps = getattr(detector.pipeline_, "steps", [("", detector.pipeline_)])
    offset = getattr(steps[-1][1], "offset_", None)
    return None if offset is None else LesionRule(-float(offset), min_volume)
