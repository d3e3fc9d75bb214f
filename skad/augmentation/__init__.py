"""Random views of training slices: geometry, which labels follow, and intensity, which they do not."""

from skad.augmentation.augmentation import Augmentation
from skad.augmentation.geometry import Geometry
from skad.augmentation.intensity import Intensity

__all__ = ["Augmentation", "Geometry", "Intensity"]
