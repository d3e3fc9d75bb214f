"""The file of a detector, calibrated or not."""

from skad.calibration import ConformalCalibrator
from skad.detector import VolumeAnomalyDetector
from skad.persistence import load


def load_detector(path, device="auto"):
    """Read what ``skad fit`` or ``skad calibrate`` wrote.

    Returns
    -------
    detector : VolumeAnomalyDetector
        To compute on `device`.
    calibrator : ConformalCalibrator or None
        Around the detector.

    Raises
    ------
    ValueError
        The file holds something else, or cannot be loaded.
    """
    loaded = load(path)
    calibrator = loaded if isinstance(loaded, ConformalCalibrator) else None
    detector = loaded if calibrator is None else calibrator.detector
    if not isinstance(detector, VolumeAnomalyDetector):
        raise ValueError(
            f"{path} holds a {type(detector).__name__}, which scores slices: give a file of `skad fit`, "
            "or save a VolumeAnomalyDetector."
        )
    if not all(hasattr(detector, name) for name in ("contrasts_", "pipeline_", "preprocessor_")):
        raise ValueError(f"{path} holds a detector that is not fitted: give a file of `skad fit`.")
    for name in detector.pipeline_.get_params():
        if name.rpartition("__")[2] == "device":
            detector.pipeline_.set_params(**{name: device})
    return detector, calibrator
