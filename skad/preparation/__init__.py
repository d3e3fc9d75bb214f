"""Scans as they come: contrasts aligned, brains found, fields flattened, patients in one space.

Needs the extra ``skad[prepare]`` (SimpleITK, deepbet), which is imported when a step is used.
"""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.preparation.bias import BiasCorrect
    from skad.preparation.brain import BrainExtract
    from skad.preparation.cohort import (
        Prepared,
        describe_preparation,
        make_preparation,
        prepare_cohort,
        restore_map,
        restore_maps,
    )
    from skad.preparation.coregister import CoRegister
    from skad.preparation.mni import RegisterToMNI
    from skad.preparation.plausibility import mask_warnings
    from skad.preparation.sources import to_originals
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "BiasCorrect",
    "BrainExtract",
    "CoRegister",
    "Prepared",
    "RegisterToMNI",
    "describe_preparation",
    "make_preparation",
    "mask_warnings",
    "prepare_cohort",
    "restore_map",
    "restore_maps",
    "to_originals",
]
