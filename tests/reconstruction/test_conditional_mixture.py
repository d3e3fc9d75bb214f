"""The conditional mean as a reference: against least squares."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skad.reconstruction import ConditionalMixtureReconstructor
from skad.scoring import ConditionalMixtureScorer


@pytest.fixture
def X():
    generator = np.random.default_rng(0)
    X = np.einsum("ij,njhw->nihw", generator.normal(size=(3, 3)), generator.normal(size=(4, 3, 9, 14)))
    X[..., :3] = np.nan
    return X


def _columns(images):
    return np.moveaxis(images[..., 3:], 1, -1).reshape(-1, images.shape[1])


def _fitted(X, **kwargs):
    return ConditionalMixtureReconstructor(n_components=1, reg_covar=0, random_state=0, **kwargs).fit(X)


@pytest.mark.parametrize(("contrast", "others"), [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])])
def test_reference_and_spread_of_one_component_are_least_squares(X, contrast, others):
    pixels, reconstructor = _columns(X), _fitted(X)
    expected = LinearRegression().fit(pixels[:, others], pixels[:, contrast]).predict(pixels[:, others])
    reference, spread = reconstructor.reconstruct(X), reconstructor.spread(X)
    np.testing.assert_allclose(_columns(reference)[:, contrast], expected, atol=1e-4)
    np.testing.assert_allclose(
        _columns(spread)[:, contrast], (pixels[:, contrast] - expected).std(), rtol=1e-4
    )


def test_a_missing_contrast_is_predicted_from_the_others(X):
    lacking = X.copy()
    lacking[:, 1] = np.nan
    reconstructor = _fitted(X)
    expected = reconstructor.reconstruct(X)[:, 1]
    np.testing.assert_allclose(reconstructor.reconstruct(lacking)[:, 1], expected, rtol=1e-4, atol=1e-4)


def test_the_residual_over_its_spread_is_the_scorers_feature(X):
    reconstructor = _fitted(X)
    scaled = (X - reconstructor.reconstruct(X)) / reconstructor.spread(X)
    scorer = ConditionalMixtureScorer(n_components=1, reg_covar=0, random_state=0).fit(X)
    np.testing.assert_allclose(scaled, scorer.transform(X), rtol=1e-3, atol=1e-4)


def test_one_contrast_has_a_constant_reference(X):
    reference = _fitted(X[:, :1]).reconstruct(X[:, :1])
    np.testing.assert_allclose(_columns(reference), np.nanmean(X[:, 0]), rtol=1e-5)
