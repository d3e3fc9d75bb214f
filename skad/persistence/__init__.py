"""Fitted estimators in one file each, without pickle: loading runs no code from the file."""

from skad.persistence.files import LoadError, load, save
from skad.persistence.writing import written_whole

__all__ = ["LoadError", "load", "save", "written_whole"]
