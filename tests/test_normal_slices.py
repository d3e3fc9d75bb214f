"""The slices that a detector learns from."""

import numpy as np
import pytest

from skad.io import Volume
from skad.normal_slices import read_normal_slices
from skad.preprocessing import VolumePreprocessor

SHAPE = (9, 11, 7)  # all different
CENTERED = np.array([[2.0, 0, 0, -8], [0, 2, 0, -10], [0, 0, 2, -6], [0, 0, 0, 1]])


def volume(seed, lesion_at=None, labels=True):
    rng = np.random.default_rng(seed)
    image = rng.uniform(1, 2, SHAPE).astype(np.float32)
    truth = np.zeros(SHAPE, dtype=np.int32)
    if lesion_at is not None:
        truth[4, 5, lesion_at] = 1
    whole = np.ones(SHAPE, dtype=bool)
    truth = truth if labels else None
    return Volume({"T1w": image}, CENTERED, subject=f"sub-{seed:02d}", mask=whole, labels=truth)


@pytest.fixture
def volumes():
    return [volume(0, lesion_at=2), volume(1), volume(2, labels=False)]


@pytest.fixture
def preprocessor(volumes):
    return VolumePreprocessor(size=(16, 18), intensity=None).fit(volumes)


def test_they_are_all_but_those_with_a_labeled_pixel(preprocessor, volumes):
    every = [preprocessor.transform([each]).X for each in volumes]
    expected = np.concatenate([np.delete(every[0], 2, axis=0), every[1], every[2]])
    np.testing.assert_array_equal(read_normal_slices(preprocessor, volumes).X, expected)


def test_in_a_file_they_are_the_same(preprocessor, volumes, tmp_path):
    X = read_normal_slices(preprocessor, volumes, tmp_path / "slices.npy").X
    assert isinstance(X, np.memmap)
    np.testing.assert_array_equal(X, read_normal_slices(preprocessor, volumes).X)


def test_the_scans_are_remembered_and_no_others(preprocessor, volumes):
    scans = read_normal_slices(preprocessor, volumes).scans
    assert all(scans.holds(each) for each in volumes) and not scans.holds(volume(3))


def test_the_profile_counts_the_scans_and_knows_their_foreground(preprocessor, volumes):
    profile = read_normal_slices(preprocessor, volumes).profile
    smallest, largest = profile.volume_ml_
    assert profile.n_scans_ == 3 and smallest < np.prod(SHAPE) * 8 / 1000 < largest  # voxels of 8 cubic mm
