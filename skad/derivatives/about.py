"""What is known of the detector of a folder of maps: its training, calibration and parameters."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from skad.calibration import ConformalCalibrator
from skad.composition import fitted_steps
from skad.derivatives.sidecar import Model
from skad.persistence.classes import RUN_TIME
from skad.utils.files import write_json

ABOUT = "detector.json"
Facts = Mapping[str, Mapping[str, str]]


def about_detector(detector: Any, calibrator: ConformalCalibrator | None = None) -> Facts:
    """Facts of a fitted detector, as text for people.

    Parameters
    ----------
    detector : VolumeAnomalyDetector
    calibrator : ConformalCalibrator, default=None
        Around the detector.

    Returns
    -------
    dict of str to dict of str
        By heading: "Training", "Calibration", and the parameters of each step ("score: JointDRGMM"), without
        the settings of a run such as ``n_jobs``.
    """
    steps = fitted_steps(detector)
    if hasattr(detector, "cohort_"):  # of a SingleSubjectDetector
        steps["cohort"] = detector.cohort_
    facts = {"Training": _training(detector), "Calibration": _calibration(calibrator)}
    return facts | {f"{name}: {type(step).__name__}": _parameters(step) for name, step in steps.items()}


def write_about(model: Model, facts: Facts, folder: Path) -> None:
    """Write the facts of a detector into a folder of its maps."""
    write_json({"Model": {"File": model.file, "SHA256": model.sha256}, "Facts": facts}, folder / ABOUT)


def read_about(folder: Path, models: Container[str]) -> Facts:
    """The facts that a folder holds; none where they are of another detector, or malformed.

    Parameters
    ----------
    folder : path
    models : container of str
        SHA-256 of the detectors that made the maps.
    """
    try:
        content = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        facts = {str(heading): {**rows} for heading, rows in content["Facts"].items()}
        return facts if content["Model"]["SHA256"] in models else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _training(detector):
    facts = {"contrasts": ", ".join(detector.contrasts_)}
    profile = getattr(detector, "profile_", None)  # files of earlier versions have none
    if profile is not None:
        smallest, largest = profile.volume_ml_
        facts["scans"] = str(profile.n_scans_)
        facts["foreground that is usual"] = f"{smallest:.0f} to {largest:.0f} mL"
    facts["slices without a lesion"] = str(detector.n_slices_)
    return facts


def _calibration(calibrator):
    if calibrator is None:
        return {"threshold": "the detector's own, which promises no false-positive rate"}
    return {
        "false-positive rate": f"{calibrator.fpr:g}, {calibrator.unit}-wise",
        "normal patients": str(calibrator.n_patients_),
        "threshold": f"{-calibrator.offset_:.4g}",
    }


def _parameters(step):
    own = step.get_params(deep=False)
    return {name: " ".join(repr(value).split()) for name, value in own.items() if name not in RUN_TIME}
