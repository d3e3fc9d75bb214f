"""Conditional distributions of a mixture: against numerical integration, least squares and samples."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.special import ndtr
from sklearn.linear_model import LinearRegression

from skad.mixture.conditional import ConditionalMixture

WEIGHTS = np.array([0.5, 0.3, 0.2])
GRID = np.linspace(-40, 40, 20_001)


@pytest.fixture
def mixture():
    generator = np.random.default_rng(0)
    factors = generator.normal(size=(3, 4, 4))
    covariances = factors @ factors.transpose(0, 2, 1) / 4 + 0.1 * np.eye(4)
    return WEIGHTS, 2 * generator.normal(size=(3, 4)), covariances


def _sample(mixture, n, seed=1):
    generator = np.random.default_rng(seed)
    weights, means, covariances = mixture
    component = generator.choice(len(weights), n, p=weights)
    return np.array([generator.multivariate_normal(means[k], covariances[k]) for k in component])


def _density_along(mixture, pixel, target, given):
    """Normalized density of the target on the grid with the given features held, by the joint density."""
    kept = [target, *given]
    points = np.tile(pixel[kept], (len(GRID), 1))
    points[:, 0] = GRID
    joint = sum(
        weight * stats.multivariate_normal(mean[kept], covariance[np.ix_(kept, kept)]).pdf(points)
        for weight, mean, covariance in zip(*mixture, strict=True)
    )
    return joint / trapezoid(joint, GRID)


@pytest.mark.parametrize("given", [[0, 2, 3], [3], []], ids=str)
def test_tails_are_integrals_of_the_joint_density(mixture, given):
    pixel = _sample(mixture, 1)[0]
    density = _density_along(mixture, pixel, 1, given)
    lower, upper = ConditionalMixture(*mixture, target=1, given=given).log_tails(pixel[None])
    below = trapezoid(np.where(GRID < pixel[1], density, 0), GRID)
    assert np.exp(lower[0]) == pytest.approx(below, abs=2e-3)
    assert np.exp(upper[0]) == pytest.approx(1 - below, abs=2e-3)


def test_mean_and_spread_are_moments_of_the_joint_density(mixture):
    pixel = _sample(mixture, 1)[0]
    density = _density_along(mixture, pixel, 1, [0, 2, 3])
    mean = trapezoid(GRID * density, GRID)
    conditional = ConditionalMixture(*mixture, target=1, given=[0, 2, 3])
    assert conditional.mean(pixel[None])[0] == pytest.approx(mean, abs=1e-6)
    variance = trapezoid((GRID - mean) ** 2 * density, GRID)
    assert conditional.spread(pixel[None])[0] == pytest.approx(np.sqrt(variance), abs=1e-6)


@pytest.mark.parametrize("given", [[0, 2, 3], [0], []], ids=str)
def test_p_values_of_samples_are_uniform(mixture, given):
    residuals = ConditionalMixture(*mixture, target=1, given=given).quantile_residual(_sample(mixture, 4000))
    assert stats.kstest(ndtr(residuals), "uniform").pvalue > 0.01


def test_one_component_is_least_squares():
    generator = np.random.default_rng(2)
    pixels = generator.normal(size=(500, 4)) @ generator.normal(size=(4, 4)) + 3
    moments = np.ones(1), pixels.mean(axis=0)[None], np.cov(pixels.T, bias=True)[None]
    others = pixels[:, [0, 2, 3]]
    residual = pixels[:, 1] - LinearRegression().fit(others, pixels[:, 1]).predict(others)
    conditional = ConditionalMixture(*moments, target=1, given=[0, 2, 3])
    np.testing.assert_allclose(conditional.quantile_residual(pixels), residual / residual.std(), atol=1e-9)


def test_what_is_not_given_is_marginalized(mixture):
    pixels = _sample(mixture, 20)
    weights, means, covariances = mixture
    kept = [1, 3]
    smaller = ConditionalMixture(weights, means[:, kept], covariances[:, kept][:, :, kept], 0, [1])
    np.testing.assert_allclose(
        ConditionalMixture(*mixture, target=1, given=[3]).quantile_residual(pixels),
        smaller.quantile_residual(pixels[:, kept]),
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_residuals_far_out_are_finite_and_ordered(mixture, sign):
    pixels = np.zeros((5, 4))
    pixels[:, 1] = sign * np.array([1e1, 1e2, 1e3, 1e4, 1e5])
    residuals = sign * ConditionalMixture(*mixture, target=1, given=[0, 2, 3]).quantile_residual(pixels)
    assert np.isfinite(residuals).all() and (np.diff(residuals) > 0).all()


def test_a_component_without_weight_does_not_count(mixture):
    _, means, covariances = mixture
    pixels = _sample(mixture, 20)
    with_it = ConditionalMixture(np.array([0.6, 0.4, 0.0]), means, covariances, 1, [0])
    without = ConditionalMixture(np.array([0.6, 0.4]), means[:2], covariances[:2], 1, [0])
    np.testing.assert_allclose(with_it.quantile_residual(pixels), without.quantile_residual(pixels))
