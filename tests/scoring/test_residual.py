"""Residuals against numpy, and the structural one against its own map."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.nn.ssim import ssim_map
from skad.scoring.residual import ResidualScorer


@pytest.fixture
def pairs():
    P = np.random.default_rng(0).normal(size=(5, 2, 3, 13, 10)).astype(np.float32)
    P[:, :, :, :4, :3] = np.nan
    return P


def _difference(P):
    return P[:, 0] - P[:, 1]


@pytest.mark.parametrize(("metric", "size"), [("l1", np.abs), ("l2", np.square)])
def test_score_is_minus_the_mean_residual(pairs, metric, size):
    scores = ResidualScorer(metric=metric).fit(pairs).score_samples(pairs)
    np.testing.assert_allclose(scores, -size(_difference(pairs)).mean(axis=1), rtol=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sign_counts_one_direction_as_abnormal(pairs, sign):
    scores = ResidualScorer(sign=sign).fit(pairs).score_samples(pairs)
    np.testing.assert_allclose(scores, -sign * _difference(pairs).mean(axis=1), rtol=1e-4, atol=1e-6)


def test_squared_residuals_keep_their_sign(pairs):
    scores = ResidualScorer(metric="l2", sign=1, contrasts=[2]).fit(pairs).score_samples(pairs)
    d = _difference(pairs)[:, 2]
    np.testing.assert_allclose(scores, -d * np.abs(d), rtol=1e-5)


def test_only_the_chosen_contrasts_count(pairs):
    scorer = ResidualScorer(contrasts=(0, 2)).fit(pairs)
    expected = -np.abs(_difference(pairs)[:, [0, 2]]).mean(axis=1)
    np.testing.assert_allclose(scorer.score_samples(pairs), expected, rtol=1e-5)
    assert scorer.transform(pairs).shape == (5, 2, 13, 10)


def test_ssim_is_the_map_at_the_training_range(pairs):
    scorer = ResidualScorer(metric="ssim", batch_size=2).fit(pairs)
    np.testing.assert_allclose(
        scorer.data_range_, np.nanmax(pairs[:, 0], (0, 2, 3)) - np.nanmin(pairs[:, 0], (0, 2, 3))
    )
    x, r = torch.from_numpy(np.nan_to_num(pairs)).unbind(1)
    foreground = torch.from_numpy(~np.isnan(pairs[:, 0, :1]))
    data_range = torch.from_numpy(scorer.data_range_)[:, None, None]
    expected = -((1 - ssim_map(x, r, foreground, data_range=data_range)) / 2).mean(1)
    scores = scorer.score_samples(pairs)
    inside = foreground[:, 0].numpy()
    np.testing.assert_allclose(scores[inside], expected.numpy()[inside], rtol=0, atol=1e-5)


def test_an_image_equal_to_its_reference_is_normal(pairs):
    same = np.stack([pairs[:, 0], pairs[:, 0]], axis=1)
    for metric in ("l1", "l2", "ssim"):
        scores = ResidualScorer(metric=metric).fit(pairs).score_samples(same)
        np.testing.assert_allclose(scores[~np.isnan(scores)], 0, atol=1e-6)


def test_smoothing_is_that_of_the_residual():
    P = np.random.default_rng(1).normal(size=(2, 2, 1, 20, 24)).astype(np.float32)
    scores = ResidualScorer(smoothing=1.0).fit(P).score_samples(P)
    expected = -gaussian_filter(np.abs(_difference(P))[:, 0], (0, 1, 1))
    np.testing.assert_allclose(scores[:, 5:-5, 5:-5], expected[:, 5:-5, 5:-5], rtol=0, atol=1e-5)


def test_standardized_scores_are_z_scores_over_the_foreground_of_each_slice(pairs):
    pairs[1, 0], pairs[1, 1] = 5.0, 2.0  # one residual everywhere
    pairs[:, :, :, :4, :3] = np.nan
    plain, found = (
        ResidualScorer(standardize=standardize).fit(pairs).score_samples(pairs)
        for standardize in (False, True)
    )
    mean, deviation = (f(plain, (1, 2), keepdims=True) for f in (np.nanmean, np.nanstd))
    deviation[1] = 1.0
    expected = (plain - mean) / deviation
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_missing_contrast_counts_as_zero_residual(pairs):
    scorer = ResidualScorer().fit(pairs)
    missing = pairs.copy()
    missing[1, 0, 2] = np.nan
    expected = -np.abs(_difference(pairs)[1, :2]).sum(axis=0) / 3
    np.testing.assert_allclose(scorer.score_samples(missing)[1], expected, rtol=1e-5)


@pytest.mark.parametrize("contrasts", [[], [3], [-1]])
def test_contrasts_that_are_not_there_are_refused(pairs, contrasts):
    with pytest.raises(ValueError, match="contrasts should be indices from 0 to 2"):
        ResidualScorer(contrasts=contrasts).fit(pairs)


def test_structural_similarity_has_no_sign(pairs):
    with pytest.raises(ValueError, match="sign should be None"):
        ResidualScorer(metric="ssim", sign=1).fit(pairs)
