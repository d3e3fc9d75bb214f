"""Naming the normal anatomy of every pixel, and judging a normal reference by it."""

from skad.segmentation.anatomy import AnatomySegmenter
from skad.segmentation.fidelity import anatomical_fidelity

__all__ = ["AnatomySegmenter", "anatomical_fidelity"]
