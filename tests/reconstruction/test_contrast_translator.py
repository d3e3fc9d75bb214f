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


def make_series(n=12, seed=0):
    """Three contrasts of slices with their neighbors: the second shows the first of the slice below."""
    rng = np.random.default_rng(seed)
    series = gaussian_filter(rng.normal(size=(n, 3, 3, 20, 24)), (0, 0, 0, 2, 2)).astype(np.float32)
    series /= series.std()
    series[:, 0, 1] = series[:, 1, 0]
    series[:, :, :, :3] = np.nan
    return series


@pytest.fixture(scope="module")
def trained_on_series():
    return ContrastTranslator(width=8, n_blocks=0, max_epochs=12, batch_size=4, lr=3e-3, random_state=0).fit(
        make_series(48)
    )


def test_it_learns_what_only_a_neighbor_shows(trained_on_series):
    unseen = make_series(seed=1)
    error = np.nanmean(np.abs(unseen[:, 0] - trained_on_series.reconstruct(unseen)), axis=(0, 2, 3))
    explained = 1 - error / np.nanmean(np.abs(unseen[:, 0]), axis=(0, 2, 3))
    assert explained[1] > 0.3
    assert max(explained[[0, 2]]) < 0.1  # nothing tells these


def test_series_give_pairs_of_the_slice_and_its_reference(trained_on_series):
    series = make_series(seed=1)
    pairs = trained_on_series.transform(series)
    assert pairs.shape == (12, 2, 3, 20, 24)
    np.testing.assert_array_equal(pairs[:, 0], series[:, 0])
    np.testing.assert_array_equal(np.isnan(pairs[:, 1]), np.isnan(series[:, 0]))
    expected = -np.abs(pairs[:, 0] - pairs[:, 1]).mean(axis=1)
    np.testing.assert_allclose(trained_on_series.score_samples(series), expected, rtol=1e-5)


def test_a_lesion_in_a_contrast_of_all_slices_does_not_change_its_reference(trained_on_series):
    series = make_series(seed=1)
    before = trained_on_series.reconstruct(series)[0, 2]
    brightest = series[0, 0, 2] > np.nanquantile(series[0, 0, 2], 0.7)  # the median stays
    series[0, :, 2, brightest] += 4
    np.testing.assert_allclose(trained_on_series.reconstruct(series)[0, 2], before, atol=1e-5)


def test_a_slice_alone_is_its_own_neighbor(trained_on_series):
    images = make_series(seed=1)[:, 0]
    series = np.stack([images] * 3, axis=1)
    np.testing.assert_array_equal(trained_on_series.transform(images), trained_on_series.transform(series))


def test_fitted_without_neighbors_it_looks_at_the_slice_alone(trained):
    images = make_images(seed=1)
    series = np.stack([images, images + 1, images - 1], axis=1)
    np.testing.assert_array_equal(trained.transform(series), trained.transform(images))


def test_with_neighbors_a_missing_contrast_is_used_as_translated(trained_on_series):
    series = make_series(seed=1)
    lacking, filled = series.copy(), series.copy()
    lacking[:, :, 1] = np.nan
    inside = ~np.isnan(series[:, :, 1])
    filled[:, :, 1][inside] = trained_on_series.medians_[1]
    translated = trained_on_series.reconstruct(filled)[:, None, 1]
    filled[:, :, 1] = translated
    np.testing.assert_allclose(
        trained_on_series.reconstruct(lacking), trained_on_series.reconstruct(filled), atol=1e-5
    )


def test_medians_are_those_of_the_slices(trained_on_series):
    medians = np.nanmedian(make_series(48)[:, 0], axis=(2, 3))
    np.testing.assert_allclose(trained_on_series.medians_, np.median(medians, axis=0))


def test_a_fit_with_neighbors_does_not_go_on_from_one_without():
    translator = ContrastTranslator(warm_start=True, **FAST).fit(make_images())
    with pytest.raises(ValueError, match="neighbors instead of images"):
        translator.fit(make_series())


def test_pairs_are_refused():
    with pytest.raises(ValueError, match=r"should have shape .*leave out the reconstructor"):
        ContrastTranslator(**FAST).fit(make_series()[:, :2])


def test_one_contrast_is_refused():
    with pytest.raises(ValueError, match="at least 2, got 1"):
        ContrastTranslator(**FAST).fit(make_images()[:, :1])


@pytest.mark.parametrize("neighbors", [False, True])
def test_the_loss_is_the_mean_square_over_foreground_and_targets(neighbors):

    class Zero(torch.nn.Module):
        def translate_all(self, images, medians):
            assert medians.tolist() == [[1.0, 3.0]]
            return torch.zeros(1, 2, 1, 2)

    images = torch.tensor([[[[1.0, 9.0]], [[3.0, 9.0]]]])
    if neighbors:
        images = torch.stack([images, images + 7, images - 7], dim=1)
    foreground = torch.tensor([[[[True, False]]]])
    assert translation_loss(Zero(), images, foreground)["loss"].item() == pytest.approx((1 + 9) / 2)
