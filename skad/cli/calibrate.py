"""``skad calibrate``: from normal subjects, the threshold that keeps false positives to a promised rate."""

from pathlib import Path

from skad.calibration import ConformalCalibrator
from skad.cli.scans import load_for_training
from skad.cli.terminal import record, tell
from skad.detector_file import load_detector
from skad.persistence import save
from skad.persistence.resumable import check_free


def calibrate(detector, folder, *, out, fpr, unit, device, jobs, overwrite, **scans):
    """Write a detector together with its thresholds; 1 when some subjects could not be opened."""
    out = Path(out)
    check_free(out, overwrite=overwrite)
    detector, _ = load_detector(detector, device)
    volumes, n_failed = load_for_training(folder, contrasts=detector.contrasts_, **scans)
    calibrator = ConformalCalibrator(detector, fpr=fpr, unit=unit, n_jobs=jobs).fit(volumes)
    save(calibrator.set_params(n_jobs=None), out)
    record(detector=out, threshold=-calibrator.offset_, fpr=fpr, unit=unit, n_patients=calibrator.n_patients_)
    tell(
        f"{out}: scores above {-calibrator.offset_:.4g} are abnormal at a {unit}-wise false-positive rate of "
        f"{fpr:g}, from {calibrator.n_patients_} subjects."
    )
    return int(n_failed > 0)
