"""Conditional maps against least squares, and against the conditional densities written out."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.linear_model import LinearRegression

from skad.nn.conditional_maps import ConditionalMaps


def _random_mixture(n_components, n_contrasts, seed=0):
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(n_components, n_contrasts, n_contrasts))
    covariances = roots @ roots.transpose(0, 2, 1) + 0.5 * np.eye(n_contrasts)
    return rng.dirichlet(np.ones(n_components)), rng.normal(size=(n_components, n_contrasts)), covariances


def _maps(mixture, pixels):
    maps = ConditionalMaps(pixels.shape[1], len(mixture[0]))
    maps.set_mixture(*mixture)
    return maps(torch.from_numpy(pixels).view(*pixels.shape, 1, 1))[:, :, 0, 0].double().numpy()


def test_one_component_gives_the_standardized_residual_of_least_squares():
    pixels = np.random.default_rng(1).normal(size=(400, 3)) @ _random_mixture(1, 3)[2][0]
    covariance = np.cov(pixels.T, bias=True)
    maps = _maps(([1.0], pixels.mean(0)[None], covariance[None]), pixels)
    for c in range(3):
        others = np.delete(pixels, c, axis=1)
        residual = pixels[:, c] - LinearRegression().fit(others, pixels[:, c]).predict(others)
        np.testing.assert_allclose(maps[:, c], residual / residual.std(), atol=2e-3)


@pytest.mark.parametrize("n_contrasts", [2, 4])
def test_components_weigh_by_their_probability_given_the_other_contrasts(n_contrasts):
    weights, means, covariances = mixture = _random_mixture(3, n_contrasts)
    pixels = np.random.default_rng(2).normal(size=(50, n_contrasts))
    maps = _maps(mixture, pixels)
    for c in range(n_contrasts):
        o = np.delete(np.arange(n_contrasts), c)
        shares, residuals = [], []
        for weight, mean, covariance in zip(weights, means, covariances, strict=True):
            shares.append(weight * multivariate_normal(mean[o], covariance[np.ix_(o, o)]).pdf(pixels[:, o]))
            slope = np.linalg.solve(covariance[np.ix_(o, o)], covariance[o, c])
            spread = np.sqrt(covariance[c, c] - slope @ covariance[o, c])
            residuals.append((pixels[:, c] - mean[c] - (pixels[:, o] - mean[o]) @ slope) / spread)
        shares = np.array(shares) / np.sum(shares, axis=0)
        np.testing.assert_allclose(maps[:, c], (shares * residuals).sum(0), atol=1e-3, rtol=1e-3)


def test_one_contrast_alone_is_standardized_under_the_mixture():
    weights, means, covariances = mixture = _random_mixture(2, 1)
    pixels = np.linspace(-2, 2, 9)[:, None]
    expected = ((pixels - means.T) / np.sqrt(covariances[:, 0].T)) @ weights
    np.testing.assert_allclose(_maps(mixture, pixels)[:, 0], expected, atol=1e-5)
