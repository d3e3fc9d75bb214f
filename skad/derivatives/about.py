"""What is known of the detector of a folder of maps: its training, calibration and parameters."""

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from skad.calibration import ConformalCalibrator
from skad.composition import fitted_steps
from skad.derivatives.rule import LesionRule
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
    facts = {
        "Training": training_facts(detector),
        "Calibration": calibration_facts(detector, calibrator),
    }
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


def training_facts(detector: Any) -> dict[str, str]:
    """What a detector learned from."""
    facts = {"contrasts": ", ".join(detector.contrasts_)}
    profile = getattr(detector, "profile_", None)  # files of earlier versions have none
    if profile is not None:
        smallest, largest = profile.volume_ml_
        facts["scans"] = str(profile.n_scans_)
        facts["foreground that is usual"] = f"{smallest:.0f} to {largest:.0f} mL"
    facts["slices without a lesion"] = str(detector.n_slices_)
    if detector.context:
        facts["neighboring slices"] = f"about {detector.context:g} mm below and above"
    if detector.slice_smoothing:
        facts["smoothing across slices"] = f"{detector.slice_smoothing:g} mm"
    if detector.prevalence_smoothing:
        facts["prevalence of lesions"] = f"estimated within {detector.prevalence_smoothing:g} mm"
    return facts


def calibration_facts(detector: Any, calibrator: ConformalCalibrator | None = None) -> dict[str, str]:
    """The threshold above which scores are abnormal, and what it guarantees."""
    rule = LesionRule.of(detector, calibrator)
    if rule is None:
        return {"threshold": "none", "origin": "no voxel is called abnormal"}
    facts = {"threshold": f"{rule.threshold:.4g}", "origin": rule.origin}
    return facts if calibrator is None else facts | {"normal patients": str(calibrator.n_patients_)}


def _parameters(step):
    own = step.get_params(deep=False)
    return {name: " ".join(repr(value).split()) for name, value in own.items() if name not in RUN_TIME}
