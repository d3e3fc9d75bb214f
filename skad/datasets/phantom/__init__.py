"""Simulated brains with lesions whose extent is known: no download, no patient."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.datasets.phantom.cohort import CONTRASTS, TISSUES, make_phantom
    from skad.datasets.phantom.labels import ANATOMY, label_anatomy
    from skad.datasets.phantom.site import LESION_CLASSES
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["ANATOMY", "CONTRASTS", "LESION_CLASSES", "TISSUES", "label_anatomy", "make_phantom"]
