"""The file of a detector, calibrated or not: how it is opened, and what it says of itself."""

from pathlib import Path

from skad.calibration import ConformalCalibrator
from skad.derivatives.about import calibration_facts, training_facts
from skad.detector import VolumeAnomalyDetector
from skad.persistence import load
from skad.utils.files import sha256
from skad.utils.typing import PathLike

__all__ = ["describe_file", "load_detector"]


def load_detector(
    path: PathLike, device: str = "auto"
) -> tuple[VolumeAnomalyDetector, ConformalCalibrator | None]:
    """Read what ``skad fit`` or ``skad calibrate`` wrote.

    Parameters
    ----------
    path : path-like
        The file.
    device : str, default="auto"
        Where the networks of the detector compute: "auto", "cpu", "cuda", "cuda:1".

    Returns
    -------
    detector : VolumeAnomalyDetector
    calibrator : ConformalCalibrator or None
        Around the detector.

    Raises
    ------
    ValueError
        The file holds something else, or cannot be loaded.

    See Also
    --------
    skad.load : Any fitted estimator.

    Examples
    --------
    >>> import os, tempfile
    >>> import skad
    >>> from skad.datasets import make_phantom
    >>> from skad.detector_file import describe_file, load_detector
    >>> from skad.methods import make_detector
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), lesion=None, random_state=0)
    >>> detector = make_detector("mixture", parameters={"preprocessor__size": (32, 32)}).fit(volumes)
    >>> path = os.path.join(tempfile.mkdtemp(), "mixture.skad")
    >>> skad.save(detector, path)
    >>> detector, calibrator = load_detector(path)
    >>> calibrator is None, describe_file(path)["contrasts"]
    (True, 'T1w, FLAIR, ce-gadolinium_T1w')
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


def describe_file(path: PathLike) -> dict[str, str]:
    """What the file of a detector holds: size, digest, contrasts, threshold, calibration.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict of str to str

    Raises
    ------
    ValueError
        As :func:`load_detector`.

    See Also
    --------
    load_detector : The detector itself.

    Examples
    --------
    >>> from skad.detector_file import describe_file
    >>> describe_file("nowhere.skad")
    Traceback (most recent call last):
    skad.persistence.files.LoadError: nowhere.skad is not a file: check the path.
    """
    path = Path(path)
    detector, calibrator = load_detector(path)
    return {
        "file": f"{path}, {path.stat().st_size / 1e6:.3g} MB",
        "SHA-256": sha256(path),
        **training_facts(detector),
        **calibration_facts(detector, calibrator),
    }
