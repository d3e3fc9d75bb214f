"""From an anomaly map to lesions: smoothing inside the foreground, thresholds, tables of lesions."""

from skad.postprocessing.lesions import hysteresis_threshold, lesion_table, remove_small_lesions, voxel_volume
from skad.postprocessing.smoothing import smooth_foreground

__all__ = [
    "hysteresis_threshold",
    "lesion_table",
    "remove_small_lesions",
    "smooth_foreground",
    "voxel_volume",
]
