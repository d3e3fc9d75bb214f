import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skad.preprocessing.landmarks import (
    histogram_landmarks,
    match_landmarks,
    standard_landmarks,
    white_matter_peak,
)


def brain(white, gray, fluid, seed=0):
    """Intensities of three tissues, gray matter the most frequent, white matter second."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(mean, 3, n) for mean, n in ((white, 9000), (gray, 12000), (fluid, 3000))]
    return np.concatenate(parts)


def test_white_matter_of_a_t1_weighted_image_is_the_brightest_peak():
    assert white_matter_peak(brain(100, 70, 30), brightest=True) == pytest.approx(100, abs=1.5)


def test_without_that_it_is_the_highest_peak():
    assert white_matter_peak(brain(100, 70, 30)) == pytest.approx(70, abs=1.5)


def test_a_few_bright_vessels_are_not_white_matter():
    voxels = np.append(brain(100, 70, 30), np.random.default_rng(1).normal(150, 3, 200))
    assert white_matter_peak(voxels, brightest=True) == pytest.approx(100, abs=1.5)


@pytest.mark.parametrize("brightest", [True, False])
@given(st.integers(0, 10**6))
def test_landmarks_rise_whatever_the_histogram(brightest, seed):
    rng = np.random.default_rng(seed)
    voxels = np.round(rng.gamma(rng.uniform(0.2, 5), size=rng.integers(2, 300)), rng.integers(0, 3))
    voxels[0] += 1
    if np.ptp(voxels) > 0:
        assert (np.diff(histogram_landmarks(voxels, brightest=brightest)) > 0).all()


def test_matching_brings_white_matter_to_the_middle_and_the_ends_to_one():
    voxels = brain(100, 70, 30)
    landmarks = histogram_landmarks(voxels, brightest=True)
    mapped = match_landmarks(landmarks, standard_landmarks([landmarks])).forward(voxels)
    assert np.median(mapped[:9000]) == pytest.approx(0, abs=0.1)
    assert (mapped.min(), mapped.max()) == (-1, 1)


def test_two_scanners_agree_after_matching():
    first, second = brain(100, 70, 30), 5 * brain(100, 70, 30, seed=1) ** 1.2 + 40
    found = [histogram_landmarks(voxels, brightest=True) for voxels in (first, second)]
    standard = standard_landmarks(found)
    means = [
        [
            match_landmarks(landmarks, standard).forward(voxels[part]).mean()
            for part in (slice(9000), slice(9000, 21000))
        ]
        for landmarks, voxels in zip(found, (first, second), strict=True)
    ]
    np.testing.assert_allclose(means[0], means[1], atol=0.03)


def test_standard_landmarks_are_a_mean_over_subjects():
    one = np.array([0.0, 1, 2, 3, 4, 5, 6, 7, 8])
    two = np.array([0.0, 3, 3.2, 3.6, 4, 5, 6, 7, 8])
    np.testing.assert_allclose(standard_landmarks([one, two])[:5], [-1, -0.5, -0.35, -0.175, 0])
