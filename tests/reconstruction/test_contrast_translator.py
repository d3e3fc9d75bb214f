"""ContrastTranslator: learns what the contrasts share, hides the target, copes with a missing contrast."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.reconstruction import ContrastTranslator
from skad.reconstruction.contrast_translator import translation_loss

FAST = {"width": 4, "n_blocks": 1, "max_epochs": 1, "random_state": 0}


def make_images(n=12, height=20, width=24, seed=0):
    """Three contrasts of one smooth anatomy: a, -a, 2a + 1."""
    rng = np.random.default_rng(seed)
    anatomy = gaussian_filter(rng.normal(size=(n, 1, height, width)), (0, 0, 2, 2))
    anatomy /= anatomy.std()
    images = np.concatenate([anatomy, -anatomy, 2 * anatomy + 1], axis=1).astype(np.float32)
    images[:, :, :3] = np.nan
    return images


@pytest.fixture(scope="module")
def trained():
    return ContrastTranslator(width=8, n_blocks=1, max_epochs=60, batch_size=4, lr=3e-3, random_state=0).fit(
        make_images()
    )


def test_it_learns_contrasts_that_determine_each_other(trained):
    unseen = make_images(seed=1)
    residual = np.abs(unseen - trained.reconstruct(unseen))
    assert np.nanmean(residual) < 0.4 * np.nanmean(np.abs(unseen))


def test_a_lesion_in_one_contrast_stands_out_in_that_contrasts_residual(trained):
    images = make_images(seed=1)
    images[0, 1, 8:12, 8:12] += 4
    residual = images[0] - trained.reconstruct(images)[0]
    inside = residual[1, 8:12, 8:12].mean()
    assert inside > 3
    assert inside > np.nanquantile(residual[1], 0.95)


def test_what_the_target_shows_does_not_change_its_reference_beyond_its_median(trained):
    images = make_images()
    before = trained.reconstruct(images)[0, 2]
    images[0, 2, 3:9] = images[0, 2, 3:9][:, ::-1]
    np.testing.assert_allclose(trained.reconstruct(images)[0, 2], before, atol=1e-4)


def test_a_missing_contrast_is_translated_from_the_others(trained):
    whole = make_images(seed=1)
    images = whole.copy()
    images[2, 1] = np.nan
    pairs = trained.transform(images)
    assert np.isnan(pairs[2, 0, 1]).all()
    foreground = ~np.isnan(whole[2, 0])
    error = np.abs(pairs[2, 1, 1] - whole[2, 1])[foreground].mean()
    assert error < 0.6 * np.abs(whole[2, 1][foreground]).mean()


def test_the_score_of_a_missing_contrast_counts_zero(trained):
    images = make_images(seed=1)
    images[2, 1] = np.nan
    pairs = trained.transform(images)
    expected = -np.abs(pairs[2, 0] - pairs[2, 1])[[0, 2]].sum(axis=0) / 3
    np.testing.assert_allclose(trained.score_samples(images)[2], expected, rtol=1e-5)


def test_one_contrast_is_refused():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        ContrastTranslator(**FAST).fit(make_images()[:, :1])


def test_the_loss_is_the_mean_square_over_foreground_and_targets():

    class Zero(torch.nn.Module):
        def translate_all(self, images, medians):
            return torch.zeros_like(images)

    images = torch.tensor([[[[1.0, 9.0]], [[3.0, 9.0]]]])
    foreground = torch.tensor([[[[True, False]]]])
    assert translation_loss(Zero(), images, foreground)["loss"].item() == pytest.approx((1 + 9) / 2)
