"""Fitted estimators in one file each, without pickle: loading runs no code from the file."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.persistence.files import LoadError, load, save
    from skad.persistence.onnx import export_onnx
    from skad.persistence.resumable import ResumableFit
    from skad.persistence.resumable_search import ResumableSearch
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["LoadError", "ResumableFit", "ResumableSearch", "export_onnx", "load", "save"]
