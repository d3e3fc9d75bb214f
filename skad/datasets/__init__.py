"""Cohorts as lists of volumes: files in the layouts of the field, and a phantom."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.datasets.bids import load_bids
    from skad.datasets.bids_writing import write_bids
    from skad.datasets.brats import load_brats
    from skad.datasets.cases import SelectionError
    from skad.datasets.fetch import fetch_ixi, fetch_stroke
    from skad.datasets.fetch_lesjak import fetch_open_ms
    from skad.datasets.files import Unused
    from skad.datasets.folder import load_folder
    from skad.datasets.inventory import CohortWarning, Inventory
    from skad.datasets.isles import load_isles
    from skad.datasets.layout import load, take_inventory
    from skad.datasets.phantom import LESION_CLASSES, make_phantom
    from skad.datasets.phantom.labels import ANATOMY, label_anatomy
    from skad.datasets.survey import Scan
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "ANATOMY",
    "LESION_CLASSES",
    "CohortWarning",
    "Inventory",
    "Scan",
    "SelectionError",
    "Unused",
    "fetch_ixi",
    "fetch_open_ms",
    "fetch_stroke",
    "label_anatomy",
    "load",
    "load_bids",
    "load_brats",
    "load_folder",
    "load_isles",
    "make_phantom",
    "take_inventory",
    "write_bids",
]
