"""skad: unsupervised anomaly detection for medical images."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports
from skad.version import __version__

if TYPE_CHECKING:
    from skad.detector import VolumeAnomalyDetector
    from skad.persistence import load, save
    from skad.single_subject import SingleSubjectDetector
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["SingleSubjectDetector", "VolumeAnomalyDetector", "__version__", "load", "save"]
