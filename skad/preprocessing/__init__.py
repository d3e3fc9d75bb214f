"""Volumes to slices and back: one step per file, each with its inverse."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.preprocessing.mask import foreground
    from skad.preprocessing.preprocessor import VolumePreprocessor
    from skad.preprocessing.stack import SliceStack
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["SliceStack", "VolumePreprocessor", "foreground"]
