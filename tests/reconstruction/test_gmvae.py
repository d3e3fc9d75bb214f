"""GMVAEReconstructor: what it learns, and the restoration that makes its references."""

import numpy as np
import pytest

from skad.evaluation.collapse import CollapseWarning
from skad.reconstruction.gmvae import GMVAEReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer


def tiny(**params):
    defaults = {
        "channels": (4, 8),
        "latent_channels": 2,
        "n_restoration_steps": 4,
        "max_epochs": 1,
        "lr": 3e-3,
        "random_state": 0,
    }
    return GMVAEReconstructor(**{**defaults, **params})


@pytest.fixture(scope="module")
def learned(blobs):
    """A GMVAE that has learned the ellipses."""
    return tiny(channels=(8, 16), max_epochs=30, batch_size=8, n_restoration_steps=40).fit(blobs)


@pytest.fixture(scope="module")
def lesion(blobs):
    image = blobs[:3].copy()
    image[:, 0, 1:5, 18:23] += 1.0  # a corner that is dark in every normal slice
    return image


def reconstructed(model, X, **params):
    """References with other parameters of the restoration."""
    before = {name: getattr(model, name) for name in params}
    try:
        return model.set_params(**params).reconstruct(X)
    finally:
        model.set_params(**before)


def test_training_lowers_the_loss_and_its_terms_add_up(learned):
    history = learned.history_
    assert history["loss"][-1] < history["loss"][0] - 50
    terms = sum(np.array(history[name]) for name in history if name != "loss")
    np.testing.assert_allclose(terms, history["loss"], rtol=1e-4)


def test_decoded_latents_resemble_their_slice(learned, blobs):
    residual = learned.decode(learned.encode(blobs)) - blobs
    explained = 1 - np.nanvar(residual, axis=(0, 2, 3)) / np.nanvar(blobs, axis=(0, 2, 3))
    assert (explained > 0.5).all()


def test_restoration_lowers_its_objective_and_never_raises_it(learned, lesion):
    curve = learned.restoration_curve(lesion)
    assert curve.shape == (3, 41)
    assert (np.diff(curve) <= 0).all()
    assert (curve[:, -1] < curve[:, 0] - 10).all()


def test_restoration_takes_a_lesion_away_and_leaves_the_rest(learned, lesion):
    change = np.abs(learned.reconstruct(lesion) - lesion)[:, 0]
    inside = change[:, 1:5, 18:23].mean()
    outside = change[:, 8:, 4:15]
    assert inside > 0.1
    assert inside > 5 * np.nanmean(outside)


def test_the_restored_image_varies_less_than_the_observed_one(learned, lesion):
    restored = learned.reconstruct(lesion)
    low, high = learned.value_range_.T[:, :, None, None]
    for i in range(3):
        before, after = (
            sum(np.nansum(np.abs(np.diff(image, axis=axis))) for axis in (1, 2))
            for image in (np.clip(lesion[i], low, high), restored[i])
        )
        assert after < before


def test_no_steps_give_back_the_image_clipped_to_the_range(learned, lesion):
    low, high = learned.value_range_.T[:, :, None, None]
    actual = reconstructed(learned, lesion, n_restoration_steps=0)
    np.testing.assert_allclose(actual, np.clip(lesion, low, high), rtol=1e-4, atol=1e-4)


def test_a_heavy_total_variation_keeps_the_change_smooth(learned, lesion):
    def variation(tv_weight):
        change = reconstructed(learned, lesion, tv_weight=tv_weight, restoration_lr=2e-4) - lesion
        change /= np.ptp(learned.value_range_, axis=1)[:, None, None]
        return np.nansum(np.abs(np.diff(change, axis=2))) + np.nansum(np.abs(np.diff(change, axis=3)))

    assert variation(10.0) < 0.7 * variation(0.0)


def test_a_slice_is_restored_alike_alone_and_among_others(learned, lesion):
    together = learned.reconstruct(lesion)
    np.testing.assert_array_equal(together[2:3], learned.reconstruct(lesion[2:3]))
    np.testing.assert_array_equal(together, learned.reconstruct(lesion))


def test_latents_can_be_searched(blobs):
    search = LatentSearchTransformer(tiny(), n_steps=5, lr=0.01).fit(blobs)
    curve = search.search_curve(blobs[:3])
    assert (curve[:, -1] < curve[:, 0]).all()
    assert search.transform(blobs[:3]).shape == (3, 2, 2, 16, 24)


def test_samples_are_decoded_draws_of_the_mixture(learned):
    images = learned.sample(4, random_state=3)
    assert images.shape == (4, 2, 16, 24) and np.isfinite(images).all()
    np.testing.assert_array_equal(images, learned.sample(4, random_state=3))
    assert np.abs(images - learned.sample(4, random_state=4)).max() > 1e-3


def test_free_bits_floor_the_price_of_the_components(blobs):
    """4 x 6 places, half a nat each."""
    history = tiny(free_bits=0.5).fit(blobs).history_
    assert history["c_prior"][0] >= 0.5 * 24 - 1e-3


def test_slices_that_are_all_the_same_are_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match="hardly differs between slices, lower noise"):
        tiny(max_epochs=5).fit(np.repeat(blobs[:1], 8, axis=0))


def test_warm_start_refuses_another_mixture(blobs):
    fitted = tiny(warm_start=True).fit(blobs)
    with pytest.raises(ValueError, match="warm_start=True continues with the network of the last fit"):
        fitted.set_params(n_components=3).fit(blobs)


@pytest.mark.gpu
def test_a_gpu_restores_alike(learned, lesion):
    on_cpu = learned.reconstruct(lesion)
    on_gpu = reconstructed(learned, lesion, device="cuda")
    np.testing.assert_allclose(on_gpu, on_cpu, atol=0.05 * np.ptp(learned.value_range_))
