"""Simulated images for the GPU's measurements, and how large everything is."""

from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed

from skad.datasets import make_phantom
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor

FOUR = ("T1w", "ce-gadolinium_T1w", "T2w", "FLAIR")


@dataclass(frozen=True)
class Scale:
    """Sizes of images and networks."""

    small: int = 128  # side of the slices with four contrasts, pixels
    large: int = 256  # side of the slices with one contrast (K)
    n_slices: int = 24  # of a volume
    n_normal: int = 12  # volumes to learn from, of each kind
    n_patients: int = 4  # volumes with a lesion, to score
    volume: tuple = (91, 109, 91)  # of the scan at 2 mm, every voxel of which becomes eight of 1 mm
    k_batch: int = 120
    k_images: int = 1200
    patch_slices: int = 64
    searched: int = 128  # images searched together
    one_by_one: int = 4  # and one after the other
    search_steps: int = 100
    epochs: int = 50  # of ADM; the champion's are four fifths
    gemm: int = 8192
    backend: str = "inductor"  # of torch.compile
    jobs: int = -1  # simulations at the same time
    introvae: dict = field(default_factory=dict)
    patches: dict = field(default_factory=dict)
    translator: dict = field(default_factory=dict)
    mixture: dict = field(default_factory=dict)
    planted: dict = field(default_factory=dict)


FULL = Scale()
TINY = Scale(
    small=32,
    large=32,
    n_slices=8,
    n_normal=2,
    n_patients=1,
    volume=(14, 16, 8),
    k_batch=4,
    k_images=8,
    patch_slices=2,
    searched=4,
    one_by_one=2,
    search_steps=3,
    epochs=1,
    gemm=128,
    backend="aot_eager",  # no compiler to wait for
    jobs=1,
    introvae={"channels": (4, 8), "latent_channels": 4},
    patches={"channels": (4, 8), "n_hidden": 8, "n_outputs": 4, "patch_size": 12},
    translator={"width": 4, "n_blocks": 1},
    mixture={"n_components": 2, "width": 4},
    planted={"width": 4, "depth": 2},
)


@dataclass(frozen=True)
class Inputs:
    """What the parts work on."""

    scale: Scale
    normal: np.ndarray  # (n, 4, small, small), NaN background
    patients: np.ndarray
    labels: np.ndarray  # of the patients' slices
    head: np.ndarray  # (n, 1, large, large)
    normal_volumes: list
    volume: object  # one scan at 1 mm, with a lesion


def make_inputs(scale):
    """Simulate on all cores. No torch operation runs here: the parts are forked from this process."""
    size, n_slices = scale.small, scale.n_slices
    shape = (size * 7 // 8, size, n_slices)
    asked = [{"shape": shape, "contrasts": FOUR, "lesion": None, "seed": i} for i in range(scale.n_normal)]
    asked += [{"shape": shape, "contrasts": FOUR, "seed": 1000 + i} for i in range(scale.n_patients)]
    large = (scale.large * 7 // 8, scale.large, n_slices)
    one = {"shape": large, "contrasts": FOUR[1:2], "lesion": None}
    asked += [{**one, "seed": i} for i in range(scale.n_normal)]
    asked += [{"shape": scale.volume, "contrasts": FOUR, "voxel_size": 2.0, "seed": 2000}]
    volumes = Parallel(n_jobs=scale.jobs)(delayed(_phantom)(**each) for each in asked)
    n, m = scale.n_normal, scale.n_patients
    prepare = VolumePreprocessor(size=(scale.small, scale.small))
    normal = prepare.fit_transform(volumes[:n]).X
    patients = prepare.transform(volumes[n : n + m])
    head = VolumePreprocessor(size=(scale.large, scale.large)).fit_transform(volumes[n + m : -1]).X
    return Inputs(scale, normal, patients.X, patients.y, head, volumes[:n], _at_one_millimeter(volumes[-1]))


def _at_one_millimeter(volume):
    contrasts = {
        name: image.repeat(2, 0).repeat(2, 1).repeat(2, 2) for name, image in volume.contrasts.items()
    }
    return Volume(contrasts, volume.affine @ np.diag([0.5, 0.5, 0.5, 1]), subject=volume.subject)


def _phantom(seed, **settings):
    (volume,) = make_phantom(1, random_state=seed, **settings)
    return volume
