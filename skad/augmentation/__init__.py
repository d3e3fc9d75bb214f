"""Random views of training slices: geometry, which labels follow, and intensity, which they do not."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.augmentation.augmentation import Augmentation
    from skad.augmentation.geometry import Geometry
    from skad.augmentation.intensity import Intensity
    from skad.augmentation.scanner import Scanner
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["Augmentation", "Geometry", "Intensity", "Scanner"]
