"""Brains with known lesions for demonstrations and tests: no download, no patient."""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from skad.datasets.phantom.anatomy import TISSUES, draw_anatomy
from skad.datasets.phantom.fields import smooth_field
from skad.datasets.phantom.lesions import LESIONS, draw_lesions
from skad.datasets.phantom.signal import SEQUENCES, draw_materials, rician
from skad.datasets.phantom.site import LESION_CLASSES, label_map
from skad.io import Volume
from skad.utils.typing import RandomState

__all__ = ["CONTRASTS", "LESION_CLASSES", "TISSUES", "make_phantom"]

CONTRASTS = tuple(SEQUENCES)
"""Contrasts that `make_phantom` can simulate."""

_FIELD_OF_VIEW = {False: (168.0, 214.0, 184.0), True: (206.0, 258.0, 212.0)}  # mm, by `skull`
_CENTER = {False: (0.0, -17.0, 4.0), True: (0.0, -7.0, 8.0)}  # mm, by `skull`
_ANATOMY, _LESION, _PHYSICS, _POSE, _NOISE = range(5)  # independent random streams of a subject


class _Protocol(NamedTuple):
    """What all subjects of a phantom share."""

    shape: tuple
    voxel_size: tuple
    contrasts: list
    skull: bool
    noise: float
    bias_field: float


def make_phantom(
    n_subjects: int = 8,
    *,
    shape: Sequence[int] = (128, 128, 40),
    voxel_size: float | Sequence[float] | None = None,
    contrasts: str | Sequence[str] = ("T1w", "FLAIR", "ce-gadolinium_T1w"),
    lesion: str | Sequence[str] | None = "glioma",
    skull: bool = False,
    noise: float = 0.03,
    bias_field: float = 0.2,
    random_state: RandomState = None,
) -> list[Volume]:
    """Simulate multi-contrast brains with lesions of known extent.

    The tissue maps of the MNI152 templates that ship with nilearn are bent into a new brain for every
    subject and imaged with the signal equations of `skad.datasets.phantom.signal`, where the constants and
    their sources are.

    Parameters
    ----------
    n_subjects : int, default=8
        Number of subjects; subject i does not depend on how many there are.
    shape : tuple of 3 ints, default=(128, 128, 40)
        Voxels from left to right, back to front, bottom to top; at least 8 each.
    voxel_size : float or tuple of 3 floats, default=None
        mm. None: just large enough for the brain (the head with `skull=True`), square in the slice.
    contrasts : str or sequence of str, default=("T1w", "FLAIR", "ce-gadolinium_T1w")
        Of `CONTRASTS`: T1w, ce-gadolinium_T1w, T2w, FLAIR, dwi (b = 1000 s/mm^2). A contrast is the same
        whichever others are asked for.
    lesion : str, sequence of str or None, default="glioma"
        "glioma", "metastasis", "cavity" (postoperative), "stroke" (acute), "ms", "structural" (an old
        infarct), "extracranial" (a metastasis of the skull; needs `skull=True`); several names: every
        subject has all of them; "mixed": one kind per subject, in turn; None: normal subjects. With the
        same `random_state`, `lesion=None` gives the same people before they fell ill, down to the noise.
    skull : bool, default=False
        Whether skull, scalp, face and eyes are there. Without them everything outside the brain is 0.
    noise : float, default=0.03
        Standard deviation of the real and imaginary noise, as a fraction of the contrast's white-matter
        signal.
    bias_field : float, default=0.2
        Peak-to-peak variation of the coil's sensitivity over the mask: 0.2 means from 0.9 to 1.1.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        None draws a new cohort at every call. The global generator is never touched.

    Returns
    -------
    volumes : list of skad.io.Volume
        In memory, RAS, slices tilted by a few degrees. `.contrasts`: float32 in arbitrary units, scaled
        differently in every image, as scanners do. `.labels`: values of `LESION_CLASSES`, where lesions
        fill at least half of a voxel. `.mask`: the brain, or the head. `.info["tissues"]`: uint8 map with
        the values of `TISSUES`, the anatomy without its lesions. `.info["lesions"]`: the kinds of lesion.

    Raises
    ------
    ValueError
        An unknown lesion or contrast (the message names the nearest one), or a shape, voxel size, noise or
        bias field out of range.

    See Also
    --------
    skad.datasets.label_anatomy : The same phantoms with anatomical labels.
    skad.datasets.load_bids : Opens real scans.

    Notes
    -----
    We leave at least 40 % of the slices of every brain free of lesions (a run at the top, at the bottom or at
    both), so that a detector can be trained on the normal slices of patients. A lesion is at least 1.5 times
    as thick as a voxel is long. Lesions do not displace the tissue around them: whatever differs from the
    normal anatomy is labeled, up to partial volume at the edges.

    Examples
    --------
    >>> from skad.datasets import make_phantom
    >>> patient, = make_phantom(
    ...     1, shape=(32, 40, 12), lesion="stroke", contrasts=["T1w", "dwi"], random_state=0
    ... )
    >>> patient
    Volume('phantom01', T1w + dwi, 32x40x12 voxels of 5.35x5.35x15.3 mm, labels, mask)
    >>> dwi = patient.contrasts["dwi"]
    >>> bool(dwi[patient.labels > 0].mean() > 1.5 * dwi[patient.mask & (patient.labels == 0)].mean())
    True
    """
    if not isinstance(n_subjects, Integral) or n_subjects < 1:
        raise ValueError(f"n_subjects should be an integer of at least 1, got {n_subjects!r}.")
    shape = _check_shape(shape)
    protocol = _Protocol(
        shape,
        _check_voxel_size(voxel_size, shape, bool(skull)),
        _check_contrasts(contrasts),
        bool(skull),
        _check_range(noise, 0, 1, "noise"),
        _check_range(bias_field, 0, 1, "bias_field"),
    )
    entropy = _entropy(random_state)
    kinds = [_lesion_kinds(lesion, index, protocol.skull) for index in range(n_subjects)]
    return [_make_subject(entropy, index, kinds[index], protocol) for index in range(n_subjects)]


def _make_subject(entropy, index, kinds, protocol):
    def stream(*key):
        return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(index, *key)))

    affine = _draw_affine(stream(_POSE), protocol)
    anatomy = draw_anatomy(
        stream(_ANATOMY), _grid(affine, protocol.shape), protocol.voxel_size, skull=protocol.skull
    )
    parts = draw_lesions(kinds, anatomy, affine, stream(_LESION))
    physics = stream(_PHYSICS)
    materials = draw_materials(physics)
    coil = _draw_coil(physics, anatomy, protocol.bias_field)
    images = {}
    for contrast in protocol.contrasts:
        rng = stream(_NOISE, CONTRASTS.index(contrast))
        image = _acquire(contrast, anatomy, parts, materials, coil, protocol.noise, rng)
        images[contrast] = image if protocol.skull else np.where(anatomy.mask, image, 0)
    return Volume(
        images,
        affine,
        subject=f"phantom{index + 1:02d}",
        labels=label_map(parts, protocol.shape) * anatomy.mask,
        mask=anatomy.mask,
        info={"tissues": anatomy.tissues, "lesions": kinds},
    )


def _draw_coil(rng, anatomy, bias_field):
    """Receive sensitivity: smooth over 60 mm, from 1 - bias_field / 2 to 1 + bias_field / 2 over the mask."""
    field = smooth_field(rng, anatomy.points, 60)
    inside = field[anatomy.mask] if anatomy.mask.any() else field
    return 1 + bias_field * ((field - inside.min()) / max(np.ptp(inside), 1e-6) - 0.5)


def _acquire(contrast, anatomy, parts, materials, coil, noise, rng):
    """One contrast: signals mixed by the tissue fractions, coil, Rician noise, arbitrary scale."""
    signal = {name: np.float32(SEQUENCES[contrast](tissue)) for name, tissue in materials.items()}
    image = sum(fraction * signal[name] for name, fraction in anatomy.fractions.items())
    seen = [part for part in parts if part.material is not None]
    if seen:
        image = image * (1 - sum(part.fraction for part in seen))
        image += sum(part.fraction * signal[part.material] for part in seen)
    white = signal["white_matter"]
    scale = rng.uniform(300, 900) / white
    return (scale * rician(image * coil, noise * white, rng)).astype(np.float32)


def _draw_affine(rng, protocol):
    """Voxel to world: nearest to RAS, slices tilted by a few degrees as they are in hospitals."""
    turn = Rotation.from_euler("xyz", rng.normal(0, (4, 1.5, 1.5)).clip(-9, 9), degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = turn * np.asarray(protocol.voxel_size)
    center = _CENTER[protocol.skull] + rng.normal(0, 1.5, 3)
    affine[:3, 3] = center - affine[:3, :3] @ ((np.asarray(protocol.shape) - 1) / 2)
    return affine.astype(np.float32).astype(float)  # what a NIfTI header holds: saved maps match to the bit


def _grid(affine, shape):
    """World coordinates (3, *shape) of the voxels, mm, float32."""
    matrix, shift = affine[:3, :3].astype(np.float32), affine[:3, 3].astype(np.float32)
    return (
        np.einsum("ij,j...->i...", matrix, np.indices(shape, dtype=np.float32)) + shift[:, None, None, None]
    )


def _entropy(random_state):
    """What all streams are derived from; subject i depends on it and on i only."""
    if random_state is None or isinstance(random_state, Integral):
        return np.random.SeedSequence(random_state).entropy
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise ValueError(
        f"random_state should be None, an int, a Generator or a RandomState, got {random_state!r}."
    )


def _lesion_kinds(lesion, index, skull):
    """Kinds of lesion of subject `index`."""
    if lesion is None:
        return ()
    if isinstance(lesion, str) and lesion == "mixed":
        available = [name for name in LESIONS if skull or name != "extracranial"]
        return (available[index % len(available)],)
    valid = (*LESIONS, "mixed") if isinstance(lesion, str) else tuple(LESIONS)
    kinds = tuple(_check_name(name, valid, "lesion") for name in _listed(lesion))
    if "extracranial" in kinds and not skull:
        raise ValueError("lesion='extracranial' needs a head, got skull=False: set skull=True.")
    return kinds


def _listed(names):
    return [names] if isinstance(names, str) else list(names)


def _check_contrasts(contrasts):
    names = [_check_name(name, CONTRASTS, "contrasts") for name in _listed(contrasts)]
    if not names:
        raise ValueError(f"contrasts should name at least one of {', '.join(CONTRASTS)}, got {contrasts!r}.")
    return names


def _check_name(name, valid, argument):
    if name in valid:
        return name
    by_lower_case = {v.lower(): v for v in valid}
    nearest = by_lower_case[get_close_matches(str(name).lower(), by_lower_case, n=1, cutoff=0)[0]]
    raise ValueError(
        f"{argument} should be among {', '.join(valid)}, got {name!r}: did you mean {nearest!r}?"
    )


def _check_shape(shape):
    shape = tuple(shape)
    if len(shape) != 3 or not all(isinstance(n, Integral) and n >= 8 for n in shape):
        raise ValueError(f"shape should be three integers of at least 8, got {shape}.")
    return tuple(int(n) for n in shape)


def _check_voxel_size(voxel_size, shape, skull):
    """Three sizes in mm; by default square in the slice and just large enough for the brain or head."""
    if voxel_size is None:
        extents = [extent / n for extent, n in zip(_FIELD_OF_VIEW[skull], shape, strict=True)]
        voxel_size = (max(extents[:2]), max(extents[:2]), extents[2])
        return tuple(math.ceil(100 * v) / 100 for v in voxel_size)
    sizes = (voxel_size,) * 3 if isinstance(voxel_size, Real) else tuple(voxel_size)
    if len(sizes) != 3 or not all(isinstance(v, Real) and 0 < v < math.inf for v in sizes):
        raise ValueError(
            f"voxel_size should be one or three lengths in mm above 0, or None, got {voxel_size!r}."
        )
    return tuple(float(v) for v in sizes)


def _check_range(value, low, high, argument):
    if not isinstance(value, Real) or not low <= value <= high:
        raise ValueError(f"{argument} should be a number from {low} to {high}, got {value!r}.")
    return float(value)
