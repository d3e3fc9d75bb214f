import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.reconstruction import IntroVAEReconstructor, LatentSearchTransformer
from skad.scoring import PatchEmbeddingScorer

FAST = {
    "channels": (4, 8),
    "n_hidden": 16,
    "n_outputs": 6,
    "patch_size": 12,
    "n_patches": 16,
    "batch_size": 4,
    "random_state": 0,
}


@pytest.fixture
def textures():
    """Pairs of smooth noise, equal but for a square where the image has stripes instead."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 1, 26, 30)).cumsum(axis=2).cumsum(axis=3).astype("float32")
    images /= images.std(axis=(2, 3), keepdims=True)
    images[:, :, :3] = np.nan
    return np.stack([images, images], axis=1)


def with_stripes(P):
    P = P.copy()
    P[:, 0, :, 10:20, 8:18] = np.tile([-1.0, 1.0], 5)
    return P


@pytest.fixture
def fitted(textures):
    return PatchEmbeddingScorer(max_epochs=8, lr=1e-3, **FAST).fit(textures)


def test_training_brings_positives_closer_than_negatives(fitted):
    assert fitted.loss_curve_[-1] < 0.8 * fitted.loss_curve_[0]


def test_what_the_reference_lacks_is_abnormal_where_it_is(fitted, textures):
    P = with_stripes(textures)
    scores = fitted.score_samples(P)
    assert np.nanmax(scores[:, 10:20, 8:18].mean(axis=(1, 2))) < -0.5
    inside = scores[:, 12:18, 10:16].mean(axis=(1, 2))
    far = np.nanmean(scores[:, 3:4, 25:], axis=(1, 2))
    assert (inside < far).all()


def test_maps_are_z_scored_over_the_foreground_of_each_image(fitted, textures):
    scores = fitted.score_samples(with_stripes(textures))
    np.testing.assert_allclose(np.nanmean(scores, axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(scores, axis=(1, 2)), 1, atol=1e-5)
    assert np.isnan(scores[:, :3]).all()


def test_an_image_equal_to_its_reference_has_a_flat_map(fitted, textures):
    scores = fitted.score_samples(textures)
    assert (np.nan_to_num(scores) == 0).all()


def test_without_standardization_the_score_is_minus_the_norm_of_the_features(fitted, textures):
    P = with_stripes(textures)
    fitted.standardize = False
    features = fitted.transform(P)
    assert features.shape == (8, 6, 26, 30)
    np.testing.assert_allclose(
        -fitted.score_samples(P), np.linalg.norm(features, axis=1), rtol=1e-5, atol=1e-6
    )


def test_tiles_change_no_value(fitted, textures):
    P = with_stripes(textures)
    whole = fitted.score_samples(P)
    tiled = fitted.set_params(tile_size=11).score_samples(P)
    np.testing.assert_allclose(tiled, whole, rtol=1e-5, atol=1e-5)


def test_a_stride_keeps_the_pixels_it_looks_at(fitted, textures):
    P = with_stripes(textures)
    fitted.standardize = False
    every = fitted.score_samples(P)
    third = fitted.set_params(stride=3).score_samples(P)
    assert third.shape == every.shape
    np.testing.assert_allclose(third[:, ::3, ::3], every[:, ::3, ::3], rtol=1e-4, atol=1e-5)


def test_a_missing_contrast_counts_as_its_reference(textures):
    P = np.concatenate([textures, 1 - textures], axis=2)
    scorer = PatchEmbeddingScorer(max_epochs=1, standardize=False, **FAST).fit(P)
    damaged = with_stripes(P)
    absent, replaced = damaged.copy(), damaged.copy()
    absent[:, 0, 1] = np.nan
    replaced[:, 0, 1] = damaged[:, 1, 1]
    np.testing.assert_array_equal(scorer.score_samples(absent), scorer.score_samples(replaced))


def test_module_maps_patches_to_embeddings(fitted):
    with torch.no_grad():
        assert fitted.module_(torch.zeros(3, 1, 12, 12)).shape == (3, 6)


def test_the_paper_is_the_default():
    network = PatchEmbeddingScorer(max_epochs=1, n_patches=1, random_state=0).fit(np.zeros((2, 2, 1, 25, 26)))
    shapes = [tuple(p.shape) for name, p in network.module_.named_parameters() if p.dim() > 1]
    assert (64, 1, 3, 3) in shapes and (512, 256, 3, 3) in shapes and (1024, 512) in shapes
    assert network.module_(torch.zeros(2, 1, 32, 32)).shape == (2, 256)


def test_slices_too_small_for_patches_are_refused(textures, fitted):
    with pytest.raises(ValueError, match="at least 10 x 10 pixels for patches of 12, got 26 x 9"):
        PatchEmbeddingScorer(**FAST).fit(textures[..., :9])
    with pytest.raises(ValueError, match="at least 7 x 7 pixels for patches of 12, got 26 x 6"):
        fitted.score_samples(textures[..., :6])


def test_slices_without_half_a_patch_of_foreground_are_refused(textures):
    P = np.full_like(textures, np.nan)
    P[..., 5:8, 5:8] = 1.0
    with pytest.raises(ValueError, match="at least half foreground, got slices with less"):
        PatchEmbeddingScorer(max_epochs=1, **FAST).fit(P)


def test_positives_differ_as_asked(textures):
    wild = Augmentation(Geometry(flip=True), Intensity(shift=50.0))
    calm = Augmentation()
    losses = [
        PatchEmbeddingScorer(views=views, max_epochs=1, **FAST).fit(textures).loss_curve_[0]
        for views in (wild, calm)
    ]
    assert losses[0] > losses[1]


def test_the_second_system_whole(textures):
    X = textures[:, 0, :, :24, :28]
    introvae = IntroVAEReconstructor(channels=(2, 4), latent_channels=2, max_epochs=1, random_state=0)
    system = make_pipeline(
        LatentSearchTransformer(introvae, n_steps=2), PatchEmbeddingScorer(max_epochs=1, **FAST)
    )
    scores = system.fit(X).score_samples(X)
    assert np.array_equal(np.isnan(scores), np.isnan(X[:, 0]))
