"""Synthetic lesions with known masks, planted into normal slices.

Every family has ``plant(images, foreground) -> (images, mask)`` on torch tensors, batched on their device and
seeded by torch's generator. A detector trained on one family is flattered by a selection score that plants
the same: keep them apart.
"""

from skad.synthetic.blobs import Blobs
from skad.synthetic.contrast_subsets import InSomeContrasts
from skad.synthetic.deformations import Deformations
from skad.synthetic.foreign_patches import ForeignPatches
from skad.synthetic.lost_structure import LostStructure
from skad.synthetic.mixing import plant_families

__all__ = ["Blobs", "Deformations", "ForeignPatches", "InSomeContrasts", "LostStructure", "plant_families"]
