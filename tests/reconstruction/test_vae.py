"""VAEReconstructor: latents, ranges, sizes, training that goes on, and collapse that is loud."""

import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import skad
from skad.evaluation.collapse import CollapseWarning, constant_output, same_divergence
from skad.reconstruction import IntroVAEReconstructor, VAEReconstructor
from skad.training import checkpoint_in


def tiny(**params):
    defaults = {
        "channels": (4, 8),
        "latent_channels": 2,
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return VAEReconstructor(**{**defaults, **params})


def weights(fitted):
    return torch.cat([value.flatten().double() for value in fitted.module_.state_dict().values()])


@pytest.fixture(scope="module")
def learned(blobs):
    """A VAE that has learned the ellipses."""
    return tiny(
        channels=(8, 16), latent_channels=4, max_epochs=30, encoder_lr=3e-3, batch_size=8, augmentation=None
    ).fit(blobs)


@pytest.fixture(scope="module")
def fitted(blobs):
    return tiny().fit(blobs)


@pytest.mark.parametrize("reconstructor", [VAEReconstructor, IntroVAEReconstructor])
def test_the_decoder_is_centered_on_the_means_that_it_decodes(reconstructor, blobs):
    """All slices in one batch: what every batch norm of the decoder puts out has its bias as mean."""
    params = {"channels": (4, 8), "latent_channels": 2, "max_epochs": 3, "random_state": 0}
    module = reconstructor(**params, batch_size=len(blobs), encoder_lr=1e-2).fit(blobs).module_.eval()
    images = torch.from_numpy(np.where(np.isnan(blobs), np.nanmin(blobs, (0, 2, 3))[:, None, None], blobs))
    distances = []

    def compare(norm, inputs, output):
        distances.append((output.mean((0, 2, 3)) - norm.bias).abs().max())

    for norm in module.decoder.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.register_forward_hook(compare)
    with torch.no_grad():
        module.decode(module.encode(images.float()))
    assert len(distances) > 6 and max(distances) < 1e-4


def test_the_decoder_is_centered_on_all_batches(blobs):
    """The first batch norm sees what no other one changes: its mean is that over all slices."""
    module = tiny(batch_size=len(blobs) // 4).fit(blobs).module_.eval()
    images = np.where(np.isnan(blobs), np.nanmin(blobs, (0, 2, 3))[:, None, None], blobs)
    first = next(part for part in module.decoder.modules() if isinstance(part, torch.nn.BatchNorm2d))
    seen = []
    first.register_forward_pre_hook(lambda norm, inputs: seen.append(inputs[0].mean((0, 2, 3))))
    with torch.no_grad():
        module.decode(module.encode(torch.from_numpy(images).float()))
    torch.testing.assert_close(first.running_mean, seen[0], rtol=1e-4, atol=1e-6)


def test_reconstructions_are_decoded_means_of_the_latents(fitted, blobs):
    decoded = fitted.decode(fitted.encode(blobs))
    visible = ~np.isnan(blobs)
    np.testing.assert_allclose(fitted.reconstruct(blobs)[visible], decoded[visible], rtol=1e-4, atol=1e-4)


def test_latents_have_a_sixteenth_of_the_pixels_after_two_halvings(fitted, blobs):
    assert fitted.latent_shape_ == (2, 4, 6)
    assert fitted.encode(blobs[:3]).shape == (3, 2, 4, 6)


def test_it_learns_normal_slices(learned, blobs):
    residual = learned.reconstruct(blobs) - blobs
    explained = 1 - np.nanvar(residual, axis=(0, 2, 3)) / np.nanvar(blobs, axis=(0, 2, 3))
    assert (explained > 0.6).all()
    assert learned.history_["reconstruction_error"][-1] < 0.5 * learned.history_["reconstruction_error"][0]


def test_it_does_not_reproduce_what_normal_slices_do_not_have(learned, blobs):
    lesion = blobs[:8].copy()
    lesion[:, 0, 1:4, 19:23] += 1.0  # a corner that is dark in every normal slice
    reference = learned.reconstruct(lesion)[:, 0, 1:4, 19:23]
    assert np.abs(reference - blobs[:8, 0, 1:4, 19:23]).mean() < 0.4


def test_units_of_the_contrasts_do_not_matter(fitted, blobs):
    again = tiny().fit(8 * blobs)
    np.testing.assert_allclose(
        again.reconstruct(8 * blobs), 8 * fitted.reconstruct(blobs), rtol=1e-4, atol=1e-3
    )


def test_range_is_learned_from_the_foreground_without_its_extremes(fitted, blobs):
    expected = np.nanquantile(blobs, (0.001, 0.999), axis=(0, 2, 3)).T
    np.testing.assert_allclose(fitted.value_range_, expected, rtol=1e-5)


def test_references_stay_in_the_range(blobs):
    reference = tiny(value_range=(0.2, 0.4), max_epochs=1).fit(blobs).decode(np.full((1, 2, 4, 6), 50.0))
    assert reference.min() >= 0.2 - 1e-6 and reference.max() <= 0.4 + 1e-6


def test_samples_are_decoded_draws_of_the_prior(fitted):
    images = fitted.sample(4, random_state=3)
    assert images.shape == (4, 2, 16, 24) and np.isfinite(images).all()
    np.testing.assert_array_equal(images, fitted.sample(4, random_state=3))
    assert np.abs(images - fitted.sample(4, random_state=4)).max() > 1e-3


@pytest.mark.parametrize("side", ["height", "width"])
def test_sizes_that_cannot_be_halved_are_refused(blobs, side):
    X = blobs[:, :, :14] if side == "height" else blobs[..., :22]
    with pytest.raises(ValueError, match=r"divisible by 4 .*got 1[46] x 2[24]"):
        tiny().fit(X)


def test_another_size_at_score_time_is_refused(fitted, blobs):
    with pytest.raises(ValueError, match="12 x 24 pixels, but the estimator was fitted on 16 x 24"):
        fitted.encode(blobs[:, :, :12])


@pytest.mark.parametrize(
    ("Z", "message"),
    [
        (np.zeros((3, 2, 6, 4)), r"Z should have shape \(n_samples, 2, 4, 6\), got \(3, 2, 6, 4\)"),
        (np.full((3, 2, 4, 6), np.nan), "NaN"),
    ],
)
def test_latents_of_another_shape_or_not_finite_are_refused(fitted, Z, message):
    with pytest.raises(ValueError, match=message):
        fitted.decode(Z)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"channels": ()}, "channels should be one or more positive integers"),
        ({"channels": (4, -1)}, "channels should be one or more positive integers"),
        ({"value_range": (1.0, 1.0)}, "value_range should be"),
    ],
)
def test_bad_parameters_are_named(blobs, params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(blobs)


def test_a_lone_slice_with_one_latent_pixel_trains(blobs):
    X = blobs[:5, :, :8, 2:10]
    fitted = tiny(channels=(3, 4, 5), batch_size=4).fit(X)  # batches of 4 and 1, latents 1 x 1
    assert fitted.latent_shape_ == (2, 1, 1) and np.isfinite(fitted.score_samples(X)).all()


@pytest.mark.parametrize(("slow", "half"), [("encoder_lr", "encoder"), ("decoder_lr", "decoder")])
def test_encoder_and_decoder_have_rates_of_their_own(blobs, slow, half):
    start, end = (tiny(**{slow: 1e-12}, max_epochs=n).fit(blobs).module_ for n in (1, 2))
    for name in ("encoder", "decoder"):
        change = max(
            (a - b).abs().max().item()
            for a, b in zip(getattr(start, name).parameters(), getattr(end, name).parameters(), strict=True)
        )
        assert (change < 1e-9) == (name == half)


class Kill(Callback):
    """Ctrl-C at the beginning of the second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def test_resumed_training_ends_with_exactly_the_same_weights(blobs, tmp_path):
    whole = tiny(max_epochs=3).fit(blobs)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        tiny(max_epochs=3, callbacks=[Kill()]).fit(blobs)
    with checkpoint_in(tmp_path):
        resumed = tiny(max_epochs=3).fit(blobs)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.history_ == whole.history_


def test_warm_start_keeps_the_range_of_the_first_fit_and_refuses_other_sizes(blobs):
    fitted = tiny(warm_start=True).fit(blobs)
    before = fitted.value_range_
    fitted.fit(2 * blobs)
    np.testing.assert_array_equal(fitted.value_range_, before)
    with pytest.raises(ValueError, match=r"warm_start.*16 x 24 pixels, got 16 x 20"):
        fitted.fit(blobs[..., :20])


def test_a_file_gives_back_the_same_references(fitted, blobs, tmp_path):
    skad.save(fitted, tmp_path / "vae.skad")
    loaded = skad.load(tmp_path / "vae.skad")
    np.testing.assert_array_equal(loaded.reconstruct(blobs), fitted.reconstruct(blobs))
    np.testing.assert_array_equal(loaded.sample(2, random_state=0), fitted.sample(2, random_state=0))


def test_a_reconstruction_weight_of_zero_is_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match=r"VAEReconstructor has collapsed.*reconstruction_weight=0 ties"):
        tiny(reconstruction_weight=0, max_epochs=1).fit(blobs)


def test_slices_that_are_all_the_same_are_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match="hardly differs between slices, raise reconstruction_weight"):
        tiny(max_epochs=5, augmentation=None).fit(np.repeat(blobs[:1], 8, axis=0))


def test_a_posterior_that_ignores_the_image_is_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match="hardly differs between slices"):
        tiny(reconstruction_weight=1e-9, max_epochs=30, batch_size=8, encoder_lr=3e-2).fit(blobs)


def test_a_training_that_works_does_not_warn(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        tiny(max_epochs=6, encoder_lr=3e-3, batch_size=8).fit(blobs)


def test_constant_output_compares_with_how_much_the_slices_differ(blobs):
    mean = np.nan_to_num(blobs).mean(axis=0)
    assert constant_output(lambda X: np.broadcast_to(mean, X.shape), blobs)
    assert constant_output(lambda X: mean + 0.045 * (X - mean), blobs)
    assert not constant_output(lambda X: mean + 0.065 * (X - mean), blobs)
    assert not constant_output(lambda X: X, blobs[:1])


@pytest.mark.parametrize(("difference", "same"), [(0.009, True), (0.011, False)])
def test_divergences_within_one_percent_in_the_last_epochs_are_the_same(difference, same):
    real = [90.0, 70, 100, 100, 100, 100, 100]
    reconstructed = [0.0, 0.0, *[100 * (1 - difference)] * 5]
    assert same_divergence(real, reconstructed) is same
    assert not same_divergence(real, [*reconstructed[:-2], 50.0, 100.0])
