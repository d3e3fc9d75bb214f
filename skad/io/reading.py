"""Files of one subject to a `Volume`."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skad.io.common_grid import check_forms, place
from skad.io.errors import GeometryWarning, OtherGridWarning, VolumeReadError
from skad.io.header import MAX_VOXELS
from skad.io.nifti import open_nifti
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
    max_voxels: int = MAX_VOXELS,
) -> Volume:
    """Open the NIfTI files of one subject; headers are checked at once, voxels are read when accessed.

    The first file that exists gives the grid. Images on other grids are brought onto it by their affines:
    contrasts with cubic splines, labels and mask by nearest neighbor. We assume that the images are
    co-registered. Affines come from the sform, else from the qform; a labels or mask file of the first
    file's shape is taken voxel by voxel where any of their forms agree.

    Parameters
    ----------
    paths : mapping of str to path-like or None
        File of each contrast; None makes it a missing contrast (NaN everywhere).
    subject : str, default=None
        None takes the first file's name up to the first underscore.
    labels, mask : path-like, default=None
        Files of the lesion labels and of the brain mask.
    info : dict, default=None
        Joined with `paths`, the files by name, and `notes`, what was assumed about their place, in the
        volume's `info`.
    max_voxels : int, default=2**29
        A file whose header declares more is refused before anything is allocated.

    Returns
    -------
    Volume
        Reads the voxels from the files at each access.

    Raises
    ------
    VolumeReadError
        One sentence that names the file, or both files when fields of view or shapes disagree, or when a
        header without qform and sform would make the place of one of them a guess.

    Warns
    -----
    GeometryWarning
        Once per subject: a qform that differs from the sform, no form at all, labels or a mask on another
        grid, each with the distance in mm.
    OtherGridWarning
        Once per subject: contrasts on other grids than the first one. A kind of GeometryWarning, which
        :class:`skad.preparation.CoRegister` makes irrelevant.

    See Also
    --------
    skad.datasets.load : Opens all subjects of a folder.
    skad.io.write_map : Writes a map on the grid of the volume.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.io import Volume, read_volume, write_map
    >>> volume = Volume({"FLAIR": np.ones((7, 8, 9))}, np.eye(4), subject="ann")
    >>> path = write_map(volume.contrasts["FLAIR"], volume, f"{tempfile.mkdtemp()}/ann_flair.nii.gz")
    >>> read_volume({"FLAIR": path})
    Volume('ann', FLAIR, 7x8x9 voxels of 1x1x1 mm)
    """
    images = {name: open_nifti(path, max_voxels) for name, path in paths.items() if path is not None}
    if not images:
        raise VolumeReadError(
            f"Subject {subject!r} has no image file: give the path of at least one contrast."
        )
    first = next(iter(images.values()))
    subject = Path(first.path).name.split("_")[0].split(".")[0] if subject is None else subject
    extras = {
        name: open_nifti(path, max_voxels)
        for name, path in (("labels", labels), ("mask", mask))
        if path is not None
    }
    sources, doubts, regridded = _place_all(first, images, extras)
    for category, told in ((GeometryWarning, doubts), (OtherGridWarning, regridded)):
        if told:
            warnings.warn(f"Subject {subject!r}: {'; '.join(told)}.", category, stacklevel=2)
    notes = [*doubts, *regridded]
    files = {name: str(image.path) for name, image in (images | extras).items()}
    return Volume(
        {name: sources.get(name, Missing(first.shape, str(name))) for name in paths},
        first.affine,
        subject=subject,
        header=first.header,
        info={**(info or {}), "paths": files, **({"notes": notes} if notes else {})},
        **{name: sources[name] for name in extras},
    )


def _place_all(first, images, extras):
    """Every file as a source on the first one's grid, what is in doubt, and which contrasts are resampled."""
    files = images | extras
    doubts = [
        note for image in {each.path: each for each in files.values()}.values() for note in check_forms(image)
    ]
    sources, regridded = {}, []
    for name, image in files.items():
        sources[name], assumed = place(first, image, kind=name if name in extras else "image")
        (doubts if name in extras else regridded).extend(assumed)
    return sources, list(dict.fromkeys(doubts)), list(dict.fromkeys(regridded))
