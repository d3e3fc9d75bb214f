"""Files of one subject to a `Volume`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skad.io.errors import VolumeReadError
from skad.io.nifti import open_nifti
from skad.io.regrid import SMALLEST_OVERLAP, onto, overlap, same_affine, same_grid
from skad.io.sources import Missing
from skad.io.volume import Volume
from skad.utils.typing import PathLike


def read_volume(
    paths: Mapping[str, PathLike | None],
    *,
    subject: str | None = None,
    labels: PathLike | None = None,
    mask: PathLike | None = None,
    info: Mapping[str, Any] | None = None,
) -> Volume:
    """Open the NIfTI files of one subject; headers are checked now, voxels when they are accessed.

    The first file that exists gives the grid. Images on other grids are brought onto it by their affines:
    contrasts with cubic splines, labels and mask by nearest neighbour. We assume that the images are
    co-registered.

    Parameters
    ----------
    paths : mapping of str to path-like or None
        File of each contrast; None makes it a missing contrast (NaN everywhere).
    subject : str, default=None
        None takes the first file's name up to the first underscore.
    labels, mask : path-like, default=None
    info : dict, default=None
        Joined with `paths`, the files by name, in the volume's `info`.

    Returns
    -------
    Volume

    Raises
    ------
    VolumeReadError
        One sentence that names the file, or both files when fields of view or shapes disagree.
    """
    images = {name: open_nifti(path) for name, path in paths.items() if path is not None}
    if not images:
        raise VolumeReadError(
            f"Subject {subject!r} has no image file: give the path of at least one contrast."
        )
    first = next(iter(images.values()))
    contrasts = {
        name: _on_grid(first, images[name], order=3) if name in images else Missing(first.shape, str(name))
        for name in paths
    }
    extras = {
        name: open_nifti(path) for name, path in (("labels", labels), ("mask", mask)) if path is not None
    }
    files = {name: str(image.path) for name, image in (images | extras).items()}
    return Volume(
        contrasts,
        first.affine,
        subject=Path(first.path).name.split("_")[0].split(".")[0] if subject is None else subject,
        header=first.header,
        info={**(info or {}), "paths": files},
        **{name: _on_grid(first, image, order=0) for name, image in extras.items()},
    )


def _on_grid(first, image, order):
    if same_grid(first, image):
        return image
    if same_affine(first, image):
        raise VolumeReadError(
            f"{first.path} and {image.path} have the same affine but shapes {first.shape} and {image.shape}: "
            "one header is wrong or was copied, resample one onto the other."
        )
    if overlap(first, image) < SMALLEST_OVERLAP:
        raise VolumeReadError(
            f"{first.path} and {image.path} show different places (less than {SMALLEST_OVERLAP:.0%} of the "
            "smaller field of view is shared): check their affines, or co-register them."
        )
    return onto(first, image, order)
