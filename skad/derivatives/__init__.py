"""A folder of anomaly maps: what scoring a cohort leaves, and everything later reads."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.derivatives.folder import Derivative
    from skad.derivatives.record import Record
    from skad.derivatives.rule import LesionRule
    from skad.derivatives.sidecar import Model, Sidecar, SidecarError
    from skad.derivatives.visitor import Visitor
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["Derivative", "LesionRule", "Model", "Record", "Sidecar", "SidecarError", "Visitor"]
