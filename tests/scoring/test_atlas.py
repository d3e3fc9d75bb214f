"""Deviation from an atlas: against means and spreads by hand."""

import numpy as np
import pytest

from skad.scoring import AtlasScorer


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(2.0, 3.0, size=(6, 2, 7, 8))
    X[:, :, :2, :3] = np.nan
    X[:3, :, 5] = np.nan
    return X


def test_the_atlas_is_mean_and_spread_of_the_slices_at_a_place(images):
    scorer = AtlasScorer(n_prior=1e-9, smoothing=0).fit(images)
    inside = ~np.isnan(images).all(axis=(0, 1))
    seen = images[:, :, inside]
    np.testing.assert_allclose(scorer.mean_[:, inside], np.nanmean(seen, axis=0), rtol=1e-6)
    np.testing.assert_allclose(scorer.scale_[:, inside], np.nanstd(seen, axis=0), rtol=1e-6)
    deviation = np.abs(images - scorer.mean_) / scorer.scale_
    np.testing.assert_allclose(-scorer.score_samples(images), deviation.mean(axis=1), rtol=1e-5)


def test_a_place_without_slices_is_like_all_places(images):
    scorer = AtlasScorer(n_prior=2.0).fit(images)
    np.testing.assert_allclose(scorer.mean_[:, 0, 0], np.nanmean(images, axis=(0, 2, 3)))
    np.testing.assert_allclose(scorer.scale_[:, 0, 0], np.nanstd(images, axis=(0, 2, 3)))


def test_a_place_with_few_slices_lies_between(images):
    n, prior = 3, 2.0
    scorer = AtlasScorer(n_prior=prior).fit(images)
    overall, own = np.nanmean(images, axis=(0, 2, 3)), images[3:, :, 5, 4].mean(axis=0)
    np.testing.assert_allclose(scorer.mean_[:, 5, 4], (n * own + prior * overall) / (n + prior))


def test_the_sign_says_which_side_is_abnormal(images):
    bright, dark = (
        AtlasScorer(contrasts=[1], sign=sign, smoothing=0).fit(images).score_samples(images)
        for sign in (1, -1)
    )
    np.testing.assert_allclose(bright, -dark)


def test_other_places_and_contrasts_are_refused(images):
    with pytest.raises(ValueError, match=r"slices of \(7, 8\) pixels as in fit, got \(7, 7\)"):
        AtlasScorer().fit(images).score_samples(images[..., :7])
    with pytest.raises(ValueError, match="below 2, the number of contrasts of X, got 2"):
        AtlasScorer(contrasts=[2]).fit(images)
