"""``skad calibrate``: from normal subjects, the threshold that keeps false positives to a promised rate."""

from pathlib import Path

from skad.calibration import ConformalCalibrator
from skad.cli.cohort import load_for_training
from skad.cli.detectors import load_detector
from skad.cli.json_output import record
from skad.cli.output import tell
from skad.persistence import save


def calibrate(
    detector, folder, *, out, fpr=0.01, unit="pixel", where=(), device="auto", jobs=None, overwrite=False
):
    """Write a detector together with its thresholds; parameters as in ``skad calibrate --help``.

    Returns
    -------
    int
        0; 1 when some subjects could not be opened and were left out.

    Raises
    ------
    ValueError
        One sentence that names the file or option, as when there are too few subjects for the rate.
    """
    out = Path(out)
    if out.is_dir() or (out.exists() and not overwrite):
        raise ValueError(f"{out} exists already: choose another --out, or add --overwrite.")
    detector, _ = load_detector(detector, device)
    volumes, n_failed = load_for_training("calibrate", folder, contrasts=detector.contrasts_, where=where)
    calibrator = ConformalCalibrator(detector, fpr=fpr, unit=unit, n_jobs=jobs).fit(volumes)
    save(calibrator.set_params(n_jobs=None), out)
    record(detector=out, threshold=-calibrator.offset_, fpr=fpr, unit=unit, n_patients=calibrator.n_patients_)
    tell(
        f"{out}: scores above {-calibrator.offset_:.4g} are abnormal at a {unit}-wise false-positive rate of "
        f"{fpr:g}, from {calibrator.n_patients_} subjects."
    )
    return int(n_failed > 0)
