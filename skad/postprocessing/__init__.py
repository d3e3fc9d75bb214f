"""From an anomaly map to lesions: smoothing, filling holes, thresholds, tables of lesions."""

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
    from skad.postprocessing.smoothing import smooth_across_slices, smooth_foreground
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "fill_holes",
    "hysteresis_threshold",
    "lesion_table",
    "number_lesions",
    "remove_small_lesions",
    "smooth_across_slices",
    "smooth_foreground",
    "voxel_volume",
]
