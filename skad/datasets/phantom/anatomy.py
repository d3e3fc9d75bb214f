"""Normal anatomy of the phantom: tissue fractions of one subject on its own grid."""

from typing import NamedTuple

import numpy as np

from skad.datasets.phantom.fields import smooth_field, soft_step
from skad.datasets.phantom.head import draw_head
from skad.datasets.phantom.templates import (
    BRAINSTEM,
    CEREBELLUM,
    VENTRICLES,
    load_blurred,
    load_templates,
    sample,
    sample_brain_distance,
)

TISSUES = {
    "background": 0,
    "white_matter": 1,
    "gray_matter": 2,
    "csf": 3,
    "ventricles": 4,
    "cerebellum": 5,
    "brainstem": 6,
    "vessels": 7,
    "eyes": 8,
    "bone": 9,
    "fat": 10,
    "muscle": 11,
}
"""Values of `info["tissues"]`. White and gray matter are those of the hemispheres; csf is that outside the
ventricles; vessels are the superior sagittal sinus and the choroid plexus, which enhance in everybody."""

_OF_MATERIAL = {
    "white_matter": TISSUES["white_matter"],
    "gray_matter": TISSUES["gray_matter"],
    "csf": TISSUES["csf"],
    "blood": TISSUES["vessels"],
    "choroid": TISSUES["vessels"],
    "vitreous": TISSUES["eyes"],
    "bone": TISSUES["bone"],
    "marrow": TISSUES["bone"],
    "fat": TISSUES["fat"],
    "muscle": TISSUES["muscle"],
}
_LARGEST_SCALING = 0.06


class Anatomy(NamedTuple):
    """One subject without lesions; arrays have the shape of its grid."""

    points: np.ndarray  # (3, ...) world coordinates, mm
    template_points: np.ndarray  # (3, ...) the same points in MNI space, mm
    fractions: dict  # material -> float32 fraction of the voxel; what is missing to 1 is air
    brain: np.ndarray  # bool
    mask: np.ndarray  # bool; the brain, or the head where there is a skull
    tissues: np.ndarray  # uint8, values of TISSUES


def draw_anatomy(rng, points, voxel_size, *, skull):
    """A new brain (or head) at the points of a grid.

    The template is scaled, sheared, bent by two random fields (wavelengths set by 24 and 9 mm), and its
    cortex and sulci are made thicker or thinner from place to place.

    Parameters
    ----------
    rng : numpy.random.Generator
    points : float32 ndarray of shape (3, nx, ny, nz)
        World coordinates of the voxels, mm.
    voxel_size : tuple of 3 floats
        mm; fractions are averages over a voxel.
    skull : bool

    Returns
    -------
    anatomy : Anatomy
    """
    template_points = _deform(rng, points)
    templates = load_templates()
    blurred, blurred_mask = load_blurred(tuple(voxel_size))
    inside = sample(blurred_mask, template_points, templates.origin)
    brain = inside > 0.5
    fractions = _vary_cortex(rng, points, [sample(f, template_points, templates.origin) for f in blurred])
    regions = sample(templates.regions, template_points, templates.origin, order=0)
    _add_vessels(fractions, template_points, regions)
    share = inside if skull else brain
    fractions = {name: fraction * share for name, fraction in fractions.items()}
    mask = brain
    if skull:
        around, mask = draw_head(rng, template_points, 0.5 + 0.5 * float(np.mean(voxel_size)))
        for name, fraction in around.items():
            fractions[name] = fractions.get(name, 0) + fraction * (1 - inside)
        mask = mask | brain
    return Anatomy(points, template_points, fractions, brain, mask, _tissue_map(fractions, regions, mask))


def _deform(rng, points):
    """Where each point of the subject lies in the template, mm."""
    scale = 1 + np.clip(rng.normal(0, 0.03, 3), -_LARGEST_SCALING, _LARGEST_SCALING)
    matrix = np.diag(1 / scale) + rng.normal(0, 0.012, (3, 3)) * (1 - np.eye(3))
    moved = np.einsum("ij,j...->i...", matrix.astype(np.float32), points)
    for smoothness, amplitude in ((24, 2.5), (9, 1.0)):
        moved += amplitude * np.stack([smooth_field(rng, points, smoothness) for _ in range(3)])
    return moved


def _vary_cortex(rng, points, fractions):
    """Shift the balance of white matter, gray matter and CSF smoothly; CSF also as a whole (atrophy)."""
    shifts = (0, 0, rng.normal(0.5, 0.35))
    weights = [
        f * np.exp(0.35 * smooth_field(rng, points, 7) + s) for f, s in zip(fractions, shifts, strict=True)
    ]
    total = np.maximum(sum(weights), 1e-6)
    return {name: w / total for name, w in zip(("white_matter", "gray_matter", "csf"), weights, strict=True)}


def _add_vessels(fractions, template_points, regions):
    """Superior sagittal sinus along the upper midline, and choroid plexus in the lateral ventricles."""
    x, y, z = template_points
    midline = soft_step(np.abs(x) - 3.5, 2) * (z > 0) * (y < 66)
    sinus = midline * soft_step(np.abs(sample_brain_distance(template_points) + 1.5) - 3, 2)
    plexus = np.hypot((np.abs(x) - 24) / 5, (y + 40) / 9, dtype=np.float32)
    plexus = soft_step(4 * (np.hypot(plexus, (z - 8) / 9) - 1), 2) * (regions == VENTRICLES)
    for name, fraction in (("blood", sinus), ("choroid", plexus)):
        for other in fractions:
            fractions[other] = fractions[other] * (1 - fraction)
        fractions[name] = fraction


def _tissue_map(fractions, regions, mask):
    names = list(fractions)
    largest = np.argmax([fractions[name] for name in names], axis=0)
    tissues = np.array([_OF_MATERIAL[name] for name in names], np.uint8)[largest]
    solid = (tissues == TISSUES["white_matter"]) | (tissues == TISSUES["gray_matter"])
    tissues[solid & (regions == CEREBELLUM)] = TISSUES["cerebellum"]
    tissues[solid & (regions == BRAINSTEM)] = TISSUES["brainstem"]
    tissues[(tissues == TISSUES["csf"]) & (regions == VENTRICLES)] = TISSUES["ventricles"]
    tissues[~mask | (sum(fractions.values()) < 0.5)] = TISSUES["background"]
    return tissues
