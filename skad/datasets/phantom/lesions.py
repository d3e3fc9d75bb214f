"""The kinds of lesion the phantom can have, each a function of a site."""

import numpy as np
from scipy import ndimage

from skad.datasets.phantom.anatomy import TISSUES
from skad.datasets.phantom.fields import smooth_field
from skad.datasets.phantom.site import LESION_CLASSES, Part, Site
from skad.datasets.phantom.templates import sample_brain_distance


def _white(site):
    return site.anatomy.fractions["white_matter"] * (site.anatomy.tissues == TISSUES["white_matter"])


def _edema(site, distance, extent):
    """Swelling that follows white matter and spares cortex and CSF."""
    fractions = site.anatomy.fractions
    spread = site.soft(distance - extent, 3.0)
    return spread * np.clip(1.6 * fractions["white_matter"] + 0.15, 0, 1) * (1 - fractions["csf"])


def _partly(label, material, fraction, severity):
    """Parts of diseased tissue that shows only as much of its material as the disease is severe (0 to 1)."""
    return [Part(label, material, fraction * severity), Part(label, None, fraction * (1 - severity))]


def _severity(site, low):
    """Severity that differs from lesion to lesion (`low` to 1) and, by a fifth, within one."""
    within = 1 - 0.1 * (1 + smooth_field(site.rng, site.anatomy.points, 9))
    return np.clip(site.rng.uniform(low, 1) * within, 0, 1)


def glioma(site):
    """One necrotic core with an enhancing rim and edema around."""
    rng = site.rng
    radii = site.resolved(rng.uniform(12, 22) * rng.uniform(0.8, 1.2, 3))
    center = site.draw_center(_white(site) * (site.depth > 15), radii.max() + 8)
    distance = site.warped_ellipsoid(center, radii, warp=0.2 * radii.mean(), smoothness=8)
    thickness = rng.uniform(3, 6) + 1.5 * smooth_field(rng, site.anatomy.points, 8)
    thickness = np.clip(thickness, 0.8 * site.voxel_size.min(), 0.5 * radii.mean())
    tumor = site.confine(site.soft(distance))
    core = tumor * site.soft(distance + thickness)
    extent = rng.uniform(6, 14) + 4 * smooth_field(rng, site.anatomy.points, 12)
    swelling = site.confine(_edema(site, distance, extent)) * (1 - tumor)
    necrosis = core * np.clip(0.7 + 0.35 * smooth_field(rng, site.anatomy.points, 5), 0, 1)
    return [
        Part(LESION_CLASSES["core"], "necrosis", necrosis),
        Part(LESION_CLASSES["core"], "edema", core - necrosis),
        Part(LESION_CLASSES["enhancing_rim"], "tumor", tumor - core),
        *_partly(LESION_CLASSES["edema"], "edema", swelling, _severity(site, 0.4)),
    ]


def metastasis(site):
    """One to five enhancing nodules at the border of gray and white matter, large ones with necrosis."""
    parts = []
    for _ in range(1 + min(site.rng.poisson(1.5), 4)):
        new = _nodule(site)
        site.take(new)
        parts += new
    return parts


def _nodule(site):
    rng, fractions = site.rng, site.anatomy.fractions
    radii = site.resolved(np.clip(rng.lognormal(np.log(5), 0.4), 3, 12) * rng.uniform(0.85, 1.15, 3))
    border = fractions["gray_matter"] * fractions["white_matter"] * (site.depth > 4)
    center = site.draw_center(border, radii.max() + 4)
    distance = site.warped_ellipsoid(center, radii, warp=0.5, smoothness=6)
    whole = site.confine(site.soft(distance))
    necrosis = whole * site.soft(distance + max(3.5, 0.45 * radii.mean()))
    swelling = site.confine(_edema(site, distance, rng.uniform(0, 1.2) * radii.mean())) * (1 - whole)
    return [
        Part(LESION_CLASSES["metastasis"], "tumor", whole - necrosis),
        Part(LESION_CLASSES["metastasis"], "necrosis", necrosis),
        *_partly(LESION_CLASSES["edema"], "edema", swelling, _severity(site, 0.4)),
    ]


def cavity(site):
    """A hole filled with CSF where a tumor was cut out, open to the surface, with a gliotic margin."""
    rng = site.rng
    radii = site.resolved(rng.uniform(9, 18) * rng.uniform(0.8, 1.2, 3))
    near = (site.depth > 0.4 * radii.mean()) & (site.depth < 0.9 * radii.mean())
    center = site.draw_center(near, radii.max())
    distance = site.warped_ellipsoid(center, radii, warp=1.5, smoothness=6)
    whole = site.confine(site.soft(distance))
    fluid = whole * site.soft(distance + rng.uniform(2, 3.5), 0.5)
    return [
        Part(LESION_CLASSES["cavity"], "csf", fluid),
        Part(LESION_CLASSES["cavity"], "gliosis", whole - fluid),
    ]


def _wedge(site, aperture):
    """Signed distance (mm) to a cone from the deep white matter to the cortex, as a territory infarct."""
    rng, x = site.rng, site.anatomy.points[0]
    sides = site.anatomy.brain & (np.abs(x) > 8) & (site.anatomy.fractions["csf"] < 0.3)
    cortex = (site.depth > 3) & (site.depth < max(10, 1.2 * site.voxel_size[0]))
    target = site.draw_center(sides & cortex, 20, sides)
    side = np.sign(target[0])
    apex = np.array([side * rng.uniform(16, 24), np.clip(target[1], -40, 20), 0.7 * target[2]])
    length = np.linalg.norm(target - apex)
    axis = (target - apex) / length
    aperture = max(aperture, np.arctan(site.resolved(0) / length))
    offset = site.anatomy.points - apex[:, None, None, None]
    along = np.tensordot(axis, offset, axes=1)
    across = np.sqrt(np.maximum((offset**2).sum(axis=0) - along**2, 0))
    cone = across * np.cos(aperture) - along * np.sin(aperture)
    cone += 2.5 * smooth_field(rng, site.anatomy.points, 7)
    return np.maximum.reduce(
        [cone, min(5, 0.3 * length) - along, 2 - side * x]
    )  # no artery crosses the midline


def stroke(site):
    """An acute infarct: cortex and white matter of one wedge, restricted diffusion."""
    distance = _wedge(site, np.deg2rad(site.rng.uniform(15, 32)))
    solid = 1 - site.anatomy.fractions["csf"]
    fraction = site.confine(site.soft(distance, 2.0) * solid)
    return _partly(LESION_CLASSES["stroke"], "infarct", fraction, _severity(site, 0.5))


def structural(site):
    """An old infarct: a wedge shrunken to gliosis and CSF."""
    distance = _wedge(site, np.deg2rad(site.rng.uniform(10, 20)))
    whole = site.confine(site.soft(distance, 2.0))
    loss = np.clip(0.1 - distance / 8 + 0.25 * smooth_field(site.rng, site.anatomy.points, 5), 0.05, 0.9)
    return [
        Part(LESION_CLASSES["structural"], "csf", whole * loss),
        Part(LESION_CLASSES["structural"], "gliosis", whole * (1 - loss)),
    ]


def ms(site):
    """Four to twelve oval plaques in the white matter around the ventricles, long axis away from them."""
    rng, anatomy = site.rng, site.anatomy
    ventricles = anatomy.tissues == TISSUES["ventricles"]
    near = ndimage.distance_transform_edt(~ventricles, sampling=site.voxel_size)
    weight = _white(site) * np.exp(-near / 8) * (near > 2)
    total, seen = np.zeros((2, *anatomy.brain.shape), np.float32)
    for _ in range(rng.integers(4, 13)):
        short = rng.uniform(2, 4)
        center = site.draw_center(weight, 2 * short)
        distance = _plaque(site, center, short, short * rng.uniform(1.3, 2.2))
        plaque = site.confine(site.soft(distance) * (1 - anatomy.fractions["csf"]))
        total = np.maximum(total, plaque)
        seen = np.maximum(seen, plaque * rng.uniform(0.3, 0.9))
    return [
        Part(LESION_CLASSES["ms_plaque"], "plaque", seen),
        Part(LESION_CLASSES["ms_plaque"], None, total - seen),
    ]


def _plaque(site, center, short, long):
    """Signed distance to an oval whose long axis points away from the middle of the ventricles."""
    short, long = site.resolved((short, long))
    axis = center - np.array([0, center[1], 10.0])
    axis = axis / max(np.linalg.norm(axis), 1.0)
    offset = site.anatomy.points - center[:, None, None, None]
    along = np.tensordot(axis, offset, axes=1)
    across = (offset**2).sum(axis=0) - along**2
    return (np.sqrt((along / long) ** 2 + np.maximum(across, 0) / short**2) - 1) * short


def extracranial(site):
    """A metastasis of skull or scalp: enhancing tissue in place of bone and fat, outside the brain."""
    rng, anatomy = site.rng, site.anatomy
    ground = anatomy.mask & ~anatomy.brain
    vault = np.abs(sample_brain_distance(anatomy.template_points) - 6) < 2
    radii = site.resolved(rng.uniform(6, 13) * rng.uniform(0.8, 1.2, 3))
    center = site.draw_center(ground & vault & (anatomy.template_points[2] > 0), radii.max(), ground)
    distance = site.warped_ellipsoid(center, radii, warp=1, smoothness=6)
    return [Part(LESION_CLASSES["extracranial"], "tumor", site.confine(site.soft(distance), ground))]


LESIONS = {
    "glioma": glioma,
    "metastasis": metastasis,
    "cavity": cavity,
    "stroke": stroke,
    "ms": ms,
    "structural": structural,
    "extracranial": extracranial,
}
"""Name in `make_phantom` -> function that draws it."""


def draw_lesions(kinds, anatomy, affine, rng):
    """Parts of all lesions of a subject, one kind after the other on the ground that is left."""
    if not kinds:
        return []
    site = Site(anatomy, affine, rng)
    parts = []
    for kind in kinds:
        new = [p._replace(fraction=p.fraction.astype(np.float32)) for p in LESIONS[kind](site)]
        site.take(new)
        parts += new
    return parts
