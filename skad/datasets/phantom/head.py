"""Everything around the brain: meninges, skull, scalp, face, orbits and eyes, built from simple shapes.

The templates are skull-stripped, so we build the head: the skull and scalp follow the brain at fixed
distances, face, neck, orbits, eyes and air spaces are ellipsoids at their usual places in MNI space. It is
anatomy enough for a detector to meet bone, fat and eyes; it is no atlas of the head."""

import numpy as np

from skad.datasets.phantom.fields import smooth_field, soft_step
from skad.datasets.phantom.templates import sample_brain_distance

HEAD_MATERIALS = ("csf", "bone", "marrow", "fat", "muscle", "vitreous")

_SKULL = (1.0, 7.0)  # mm from the brain: inner and outer table
_SCALP = 14.0  # mm from the brain: skin
_SKIN = 2.0  # mm

# Centers and semi-axes, mm in MNI space; "sides" are mirrored.
_FACE = ((0, 42, -58), (60, 48, 66))
_NOSE = ((0, 88, -52), (13, 20, 22))
_NECK = ((0, -30), (58, 64))  # cylinder along z, below -50
_ORBITS = ((32, 56, -34), (18, 28, 18))
_EYES = ((33, 66, -34), (12.2, 12.2, 12.2))
_LENSES = ((33, 75.5, -34), (4.5, 2.2, 4.5))
_SINUSES = ((27, 58, -62), (12, 14, 16))
_AIRWAYS = (((0, 62, -54), (9, 26, 18)), ((0, 30, -30), (12, 10, 8)), ((0, 8, -80), (11, 9, 40)))


def draw_head(rng, template_points, width):
    """Fractions of the materials outside the brain, and the extent of the head.

    Parameters
    ----------
    rng : numpy.random.Generator
    template_points : ndarray of shape (3, ...)
        MNI coordinates of the voxels, mm.
    width : float
        Width of the soft edges, mm.

    Returns
    -------
    fractions : dict of str to float32 ndarray
        One entry per name in HEAD_MATERIALS; what is missing to 1 is air.
    head : bool ndarray
        Inside the skin, air spaces included.
    """
    brain = sample_brain_distance(template_points)
    brain += smooth_field(rng, template_points, 20) * 0.6 - rng.normal(0, 0.5)
    skin = _skin(brain, template_points)
    fat = _fat(rng, brain, skin, template_points)
    canvas = {name: np.zeros(brain.shape, np.float32) for name in HEAD_MATERIALS}
    for name, distance in _layers(brain, skin, fat, template_points):
        _paint(canvas, name, soft_step(distance, width))
    return canvas, skin < 0


def _layers(brain, skin, fat, points):
    """Material and signed distance of every shape, later ones over earlier ones."""
    inner, outer = _SKULL
    orbits = np.maximum(_ellipsoid(points, _ORBITS, mirrored=True), 3 - brain)
    yield "muscle", skin
    yield "fat", fat
    yield "bone", brain - outer
    yield "marrow", np.maximum(np.abs(brain - (inner + outer) / 2) - 1.2, 20 - points[2])
    for shape in _AIRWAYS:
        yield None, np.maximum(_ellipsoid(points, shape), 4 - brain)
    yield None, np.maximum(_ellipsoid(points, _SINUSES, mirrored=True), 4 - brain)
    yield "fat", np.maximum(orbits, skin + 3)
    yield "vitreous", np.maximum(_ellipsoid(points, _EYES, mirrored=True), skin + 1)
    yield "muscle", _ellipsoid(points, _LENSES, mirrored=True)
    yield "csf", brain - inner


def _skin(brain, points):
    """Signed distance to the surface of the head: scalp, face, nose and neck, joined smoothly."""
    neck = np.hypot(points[0] / _NECK[1][0], (points[1] - _NECK[0][1]) / _NECK[1][1]) - 1
    neck = np.maximum(neck * min(_NECK[1]), points[2] + 45)
    surface = _join(brain - _SCALP, _ellipsoid(points, _FACE), 12)
    return _join(_join(surface, neck, 12), _ellipsoid(points, _NOSE), 6)


def _fat(rng, brain, skin, points):
    """Signed distance to fat: a layer under the skin, and lobules between the muscles of the face."""
    layer = np.maximum(skin + _SKIN, -(skin + 5.5) - 0.8 * smooth_field(rng, points, 12))
    lobules = np.maximum(skin + 5, 2.5 * (0.6 - smooth_field(rng, points, 6)))
    return np.minimum(layer, lobules)


def _ellipsoid(points, shape, mirrored=False):
    """Approximate signed distance to an ellipsoid (or a pair left and right), mm."""
    center, radii = np.asarray(shape, dtype=np.float32)
    x = np.abs(points[0]) if mirrored else points[0]
    offset = (x, points[1], points[2])
    relative = sum(((o - c) / r) ** 2 for o, c, r in zip(offset, center, radii, strict=True))
    return (np.sqrt(relative) - 1) * radii.min()


def _join(first, second, radius):
    """Union of two signed distances whose crease is filled over `radius` mm (polynomial smooth minimum)."""
    overlap = np.clip(0.5 + 0.5 * (second - first) / radius, 0, 1)
    return second + (first - second) * overlap - radius * overlap * (1 - overlap)


def _paint(canvas, name, coverage):
    for fraction in canvas.values():
        fraction *= 1 - coverage
    if name is not None:
        canvas[name] += coverage
