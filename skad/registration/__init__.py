"""Scans as they come: contrasts aligned, fields flattened, brains found; SimpleITK is imported here only."""

from skad.registration.bias import BiasCorrect
from skad.registration.brain import BrainExtract
from skad.registration.coregister import CoRegister

__all__ = ["BiasCorrect", "BrainExtract", "CoRegister"]
