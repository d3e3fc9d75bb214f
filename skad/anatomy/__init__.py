"""Naming the normal anatomy of every pixel, and judging a normal reference by it."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.anatomy.anatomy import AnatomySegmenter
    from skad.anatomy.fidelity import anatomical_fidelity
    from skad.anatomy.regions import describe_places, is_in_mni_space
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["AnatomySegmenter", "anatomical_fidelity", "describe_places", "is_in_mni_space"]
