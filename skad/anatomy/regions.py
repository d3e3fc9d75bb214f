"""Where in the brain a point of MNI space lies, in words."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from skad.datasets.phantom.templates import BRAINSTEM, CEREBELLUM, VENTRICLES, load_templates
from skad.io import Volume

MIDLINE = 4.0  # mm on either side that are called midline
_TISSUES = ("white matter", "gray matter", "cerebrospinal fluid")


def is_in_mni_space(volume: Volume) -> bool:
    """Whether a volume is marked as registered to MNI space.

    Parameters
    ----------
    volume : Volume
        It is marked by ``info["space"]`` or by the entity ``space-MNI...`` in the names of its files.

    Returns
    -------
    bool
        Whether it is marked.

    See Also
    --------
    skad.preparation.RegisterToMNI : Registers and marks volumes.

    Examples
    --------
    >>> from skad.anatomy import is_in_mni_space
    >>> from skad.datasets import make_phantom
    >>> is_in_mni_space(make_phantom(1, shape=(16, 20, 8), random_state=0)[0])
    False
    """
    if str(volume.info.get("space", "")).startswith("MNI"):
        return True
    return any("_space-MNI" in str(path) for path in volume.info.get("paths", {}).values())


def describe_places(points: ArrayLike) -> list[str]:
    """Describe points in MNI space: hemisphere, region, tissue and distance from the ventricles.

    Parameters
    ----------
    points : array-like of shape (n_points, 3)
        mm towards right, anterior, superior.

    Returns
    -------
    list of str
        For example ``"left hemisphere, white matter, 12 mm from the ventricles"``.

    Notes
    -----
    Tissues are those of the MNI152 2009a template (Fonov et al. 2011), the most likely one at the point;
    registration is affine, so that near a border the neighboring tissue may be meant. Lobes are not named:
    no atlas of them ships with the package.

    See Also
    --------
    skad.preparation.RegisterToMNI : Brings patients into that space.

    Examples
    --------
    >>> describe_places([[-30, -20, 30], [0, -26, -30]])
    ['left hemisphere, white matter, 12 mm from the ventricles', 'midline, brainstem']
    """
    templates, distance = load_templates(), _distance_from_ventricles()
    voxels = np.rint(np.asarray(points, dtype=float) - templates.origin).astype(int)
    inside = ((voxels >= 0) & (voxels < templates.mask.shape)).all(axis=1)
    return [
        _place(point[0], tuple(voxel), templates, distance) if known else "outside the brain"
        for point, voxel, known in zip(np.asarray(points, dtype=float), voxels, inside, strict=True)
    ]


def _place(x, voxel, templates, distance):
    if not templates.mask[voxel]:
        return "outside the brain"
    side = "midline" if abs(x) <= MIDLINE else "left" if x < 0 else "right"
    region = templates.regions[voxel]
    if region == VENTRICLES:
        return f"{side}, ventricles"
    if region == BRAINSTEM:
        return f"{side}, brainstem"
    if region == CEREBELLUM:
        return f"{side}, cerebellum"
    tissue = _TISSUES[int(np.argmax(templates.fractions[(slice(None), *voxel)]))]
    half = side if side == "midline" else f"{side} hemisphere"
    return f"{half}, {tissue}, {distance[voxel]:.0f} mm from the ventricles"


@lru_cache(maxsize=1)
def _distance_from_ventricles():
    return ndimage.distance_transform_edt(load_templates().regions != VENTRICLES)
