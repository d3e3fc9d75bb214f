"""Naming the normal anatomy of every pixel, and judging a normal reference by it."""

from skad.anatomy.anatomy import AnatomySegmenter
from skad.anatomy.fidelity import anatomical_fidelity

__all__ = ["AnatomySegmenter", "anatomical_fidelity"]
