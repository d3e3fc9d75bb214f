"""Mixtures fitted to pixels: equivariance, and lesions left out by trimming."""

import numpy as np
import pytest

from skad.mixture.fitting import fit_mixture, fit_trimmed_mixture


@pytest.fixture
def pixels():
    generator = np.random.default_rng(0)
    tissue = generator.random(3000) < 0.4
    return np.where(tissue[:, None], 5, 0) + generator.normal(size=(3000, 2))


def test_scaling_and_shifting_features_does_so_to_the_mixture(pixels):
    scale, shift = np.array([1000.0, 0.01]), np.array([-7.0, 300.0])
    weights, means, covariances = fit_mixture(pixels, 2)
    expected = weights, means * scale + shift, covariances * np.outer(scale, scale)
    for part, other in zip(fit_mixture(pixels * scale + shift, 2), expected, strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-6)


def test_one_component_has_the_moments_of_the_pixels(pixels):
    weights, means, covariances = fit_mixture(pixels, 1, reg_covar=0)
    np.testing.assert_allclose(weights, 1)
    np.testing.assert_allclose(means[0], pixels.mean(axis=0))
    np.testing.assert_allclose(covariances[0], np.cov(pixels.T, bias=True))


def _distance(mixture, pixels):
    _, (mean,), (covariance,) = mixture
    return np.einsum("ni,ij,nj->n", pixels - mean, np.linalg.inv(covariance), pixels - mean)


def test_trimming_leaves_lesions_out():
    generator = np.random.default_rng(1)
    normal, lesion = generator.normal(size=(1900, 2)), generator.normal(9, 1, size=(100, 2))
    pixels = np.concatenate([normal, lesion])
    trimmed = fit_trimmed_mixture(pixels, 1, _distance, trimmed=0.06)[1][0]
    plain = fit_trimmed_mixture(pixels, 1, _distance, trimmed=0.0)[1][0]
    np.testing.assert_allclose(trimmed, normal.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(plain, pixels.mean(axis=0))


def test_fewer_different_pixels_than_components_is_an_error():
    with pytest.raises(ValueError, match="n_components=2 needs at least"):
        fit_mixture(np.ones((10, 3)), 2)
