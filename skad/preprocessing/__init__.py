"""Volumes to slices and back: one step per file, each with its inverse."""

from skad.preprocessing.mask import foreground
from skad.preprocessing.preprocessor import VolumePreprocessor
from skad.preprocessing.stack import SliceStack

__all__ = ["SliceStack", "VolumePreprocessor", "foreground"]
