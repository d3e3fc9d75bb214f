"""The mixture on intensities against scikit-learn's."""

import numpy as np
import pytest
from scipy import stats
from sklearn.mixture import GaussianMixture

from skad.mixture.fitting import sample_pixels
from skad.scoring.gaussian_mixture import MixtureScorer


@pytest.fixture
def images():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(5, 3, 9, 14)).astype(np.float32)
    X[:, 1] += np.where(generator.random((5, 9, 14)) < 0.3, 4, 0)
    X[:, :, :3, :5] = np.nan
    return X


def _pixels(X):
    pixels = np.moveaxis(X, 1, -1).reshape(-1, X.shape[1])
    return pixels[~np.isnan(pixels[:, 0])].astype(np.float64)


def test_score_is_scikit_learns_log_density(images):
    scorer = MixtureScorer(n_components=2, random_state=0).fit(images)
    mixture = GaussianMixture(2, means_init=scorer.means_, tol=1e-6, max_iter=1000).fit(_pixels(images))
    scores, expected = scorer.score_samples(images), mixture.score_samples(_pixels(images))
    assert scores[~np.isnan(scores)].mean() == pytest.approx(expected.mean(), abs=1e-3)
    np.testing.assert_allclose(scores[~np.isnan(scores)], expected, rtol=0, atol=0.2)


def test_density_has_the_stated_parameters(images):
    scorer = MixtureScorer(n_components=2, random_state=0).fit(images)
    density = sum(
        weight * stats.multivariate_normal(mean, covariance).pdf(_pixels(images))
        for weight, mean, covariance in zip(scorer.weights_, scorer.means_, scorer.covariances_, strict=True)
    )
    scores = scorer.score_samples(images)
    np.testing.assert_allclose(scores[~np.isnan(scores)], np.log(density), rtol=1e-5)


def test_score_ranks_as_the_true_density():
    generator = np.random.default_rng(1)
    X = generator.normal(size=(10, 2, 20, 24)).astype(np.float32)
    X[:, 0] = 3 * X[:, 0] + X[:, 1]
    truth = stats.multivariate_normal([0, 0], [[10, 1], [1, 1]]).logpdf(np.moveaxis(X, 1, -1))
    scores = MixtureScorer(n_components=1, random_state=0).fit(X).score_samples(X)
    assert stats.spearmanr(scores.ravel(), truth.ravel()).statistic > 0.99


def test_all_pixels_are_taken_where_there_are_few(images):
    pixels = sample_pixels(images, 10_000, np.random.default_rng(0))
    np.testing.assert_array_equal(pixels, _pixels(images))


def test_a_sample_is_bounded_and_without_repetition(images):
    pixels = sample_pixels(images, 100, np.random.default_rng(0))
    everything = {tuple(pixel) for pixel in _pixels(images)}
    assert pixels.shape == (100, 3)
    assert len({tuple(pixel) for pixel in pixels} & everything) == 100


def test_every_slice_is_sampled_in_proportion_to_its_foreground():
    X = np.full((3, 1, 40, 50), np.nan)
    X[0, 0, :, :10], X[1, 0, :, :40] = 0, 1
    share = sample_pixels(X, 500, np.random.default_rng(0)).mean()
    assert share == pytest.approx(0.8, abs=0.06)


def test_fewer_pixels_than_components_is_an_error(images):
    with pytest.raises(ValueError, match="n_components=6 needs at least"):
        MixtureScorer().fit(np.ones_like(images))


def test_same_seed_gives_the_same_mixture(images):
    first, again = (MixtureScorer(max_pixels=200, random_state=3).fit(images) for _ in range(2))
    np.testing.assert_array_equal(first.means_, again.means_)
