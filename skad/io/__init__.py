"""NIfTI files to volumes and maps back to NIfTI; nibabel is imported here only."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.io.compact import compact_nifti
    from skad.io.errors import GeometryWarning, OtherGridWarning, VolumeReadError, VolumeWriteError
    from skad.io.orientation import axes_towards
    from skad.io.reading import read_volume
    from skad.io.volume import Volume
    from skad.io.writing import save_image, to_image, write_map
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "GeometryWarning",
    "OtherGridWarning",
    "Volume",
    "VolumeReadError",
    "VolumeWriteError",
    "axes_towards",
    "compact_nifti",
    "read_volume",
    "save_image",
    "to_image",
    "write_map",
]
