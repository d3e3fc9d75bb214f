"""From an anomaly map to lesions: smoothing, holes, local prevalence, thresholds, tables of lesions."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.postprocessing.holes import fill_holes
    from skad.postprocessing.lesions import (
        hysteresis_threshold,
        lesion_table,
        number_lesions,
        remove_small_lesions,
        voxel_volume,
    )
    from skad.postprocessing.prevalence import add_local_prevalence
    from skad.postprocessing.smoothing import smooth_across_slices, smooth_foreground, smooth_volume
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "add_local_prevalence",
    "fill_holes",
    "hysteresis_threshold",
    "lesion_table",
    "number_lesions",
    "remove_small_lesions",
    "smooth_across_slices",
    "smooth_foreground",
    "smooth_volume",
    "voxel_volume",
]
