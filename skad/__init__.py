"""skad: find what does not belong in a medical image after seeing only normal ones."""

from skad.detector import VolumeAnomalyDetector
from skad.persistence import load, save
from skad.version import __version__

__all__ = ["VolumeAnomalyDetector", "__version__", "load", "save"]
