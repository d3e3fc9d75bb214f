"""A small cohort with a bright lesion each, and a detector that needs no training time."""

import numpy as np
import pytest

from skad import VolumeAnomalyDetector
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer

SHAPE = (7, 8, 9)  # all different, so that no transposition goes unnoticed
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -9], [0, 0, 3, -12], [0, 0, 0, 1]])


def brain(seed, **extras):
    """A volume of noise whose brightest voxel, of a lesion of three, is at (2, 3, 4)."""
    image = np.zeros(SHAPE)
    image[1:6, 1:7, 1:8] = np.random.default_rng(seed).uniform(1, 2, (5, 6, 7))
    image[2, 3:6, 4] = (9, 8, 8)
    labels = (image > 5).astype(int)
    return Volume({"T1w": image}, AFFINE, subject=f"sub-{seed:02d}", labels=labels, **extras)


@pytest.fixture
def volumes():
    return [brain(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="session")
def make_brain():
    return brain


@pytest.fixture(scope="session")
def detector():
    """Fitted; not to be changed."""
    return make_detector()


def make_detector(**parameters):
    prepare = VolumePreprocessor(size=(9, 8), size_mode="crop", intensity=None, **parameters)
    scorer = IntensityScorer(smoothing=0, contamination=0)
    return VolumeAnomalyDetector(scorer, preprocessor=prepare).fit([brain(seed) for seed in (7, 8)])
