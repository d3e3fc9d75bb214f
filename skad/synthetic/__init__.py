"""Synthetic lesions with known masks, planted into normal slices.

Every family has ``plant(images, foreground) -> (images, mask)`` on torch tensors, batched on their device and
seeded by torch's generator. A detector trained on one family is flattered by a selection score that plants
the same: keep them apart.
"""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.synthetic.appearance import Appearance
    from skad.synthetic.blobs import Blobs
    from skad.synthetic.contrast_subsets import InSomeContrasts
    from skad.synthetic.deformations import Deformations
    from skad.synthetic.foreign_patches import ForeignPatches
    from skad.synthetic.lesions import Lesions
    from skad.synthetic.lost_structure import LostStructure
    from skad.synthetic.mixing import plant_families
    from skad.synthetic.outlines import Components, Ellipse, Islands, Sheet, Tissue
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "Appearance",
    "Blobs",
    "Components",
    "Deformations",
    "Ellipse",
    "ForeignPatches",
    "InSomeContrasts",
    "Islands",
    "Lesions",
    "LostStructure",
    "Sheet",
    "Tissue",
    "plant_families",
]
