"""Scans as they come: contrasts aligned, fields flattened, brains found; SimpleITK is imported here only."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.preparation.bias import BiasCorrect
    from skad.preparation.brain import BrainExtract
    from skad.preparation.coregister import CoRegister
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["BiasCorrect", "BrainExtract", "CoRegister"]
