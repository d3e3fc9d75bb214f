"""``skad info``: what a detector's file holds."""

from pathlib import Path

from skad.cli.detectors import load_detector
from skad.cli.feedback import say
from skad.cli.json_output import record
from skad.derivatives import LesionRule
from skad.utils.files import sha256


def info(detector):
    """Show what a detector is and what it was made from; parameters as in ``skad info --help``.

    Returns
    -------
    int
        The exit code, 0.

    Raises
    ------
    ValueError
        The file cannot be loaded.
    """
    path = Path(detector)
    detector, calibrator = load_detector(path)
    rule = LesionRule.of(detector, calibrator)
    facts = {
        "file": f"{path}, {path.stat().st_size / 1e6:.1f} MB",
        "SHA-256": sha256(path),
        "contrasts": ", ".join(detector.contrasts_),
        "learned from": f"{detector.n_slices_} slices without a lesion",
        "threshold": "none" if rule is None else f"{rule.threshold:.4g}",
        "calibration": "none: the threshold promises no false-positive rate",
    }
    if calibrator is not None:
        facts["calibration"] = (
            f"{calibrator.unit}-wise false-positive rate {calibrator.fpr:g}, from {calibrator.n_patients_} "
            "subjects"
        )
    for name, value in facts.items():
        say(f"{name + ':':<14}{value}")
    parameters = {name: _own(step) for name, step in _steps(detector)}
    for name, step in _steps(detector):
        say(f"{name}: {type(step).__name__}")
        for key, value in parameters[name].items():
            say(f"  {key} = {value!r}")
    record(**{name.replace(" ", "_"): value for name, value in facts.items()}, parameters=parameters)
    return 0


def _steps(detector):
    """Preprocessor and steps of the pipeline, as they were fitted."""
    steps = getattr(detector.pipeline_, "steps", [("pipeline", detector.pipeline_)])
    return [("preprocessor", detector.preprocessor_), *steps]


def _own(step):
    """Parameters of a step without those of its parts, which are shown by theirs."""
    return step.get_params(deep=False)
