"""Scans as they come: contrasts aligned, fields flattened, brains found; SimpleITK is imported here only."""

from skad.preparation.bias import BiasCorrect
from skad.preparation.brain import BrainExtract
from skad.preparation.coregister import CoRegister

__all__ = ["BiasCorrect", "BrainExtract", "CoRegister"]
