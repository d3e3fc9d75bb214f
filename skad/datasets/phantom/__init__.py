"""Simulated brains with lesions whose extent is known: no download, no patient."""

from skad.datasets.phantom.cohort import CONTRASTS, TISSUES, make_phantom
from skad.datasets.phantom.labels import ANATOMY, label_anatomy
from skad.datasets.phantom.site import LESION_CLASSES

__all__ = ["ANATOMY", "CONTRASTS", "LESION_CLASSES", "TISSUES", "label_anatomy", "make_phantom"]
