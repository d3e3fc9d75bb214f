"""IntroVAEReconstructor: two players, their losses, warm-up, resumption and collapse."""

import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import skad
from skad.evaluation.collapse import CollapseWarning
from skad.nn.introspection import introspective_losses
from skad.nn.vae import VAE
from skad.reconstruction.introvae import IntroVAEReconstructor
from skad.reconstruction.vae import VAEReconstructor
from skad.training import Run, checkpoint_in

NAMES = {
    "encoder_loss",
    "decoder_loss",
    "kl_real",
    "kl_reconstructed",
    "share_inside_margin",
    "reconstruction_error",
}


def tiny(kind=IntroVAEReconstructor, **params):
    defaults = {
        "channels": (4, 8),
        "latent_channels": 2,
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return kind(**{**defaults, **params})


def weights(fitted):
    return torch.cat([value.flatten().double() for value in fitted.module_.state_dict().values()])


class Kill(Callback):
    """Ctrl-C in the middle of the epoch number ``epoch`` of every training that is so long."""

    def __init__(self, *, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return 2 * torch.rand(4, 1, 8, 12) - 1, torch.rand(4, 1, 8, 12) < 0.7


@pytest.mark.parametrize("sample_prior", [False, True])
def test_each_player_steps_by_the_gradient_of_its_own_objective(batch, sample_prior):
    network = VAE(1, channels=(3, 5), latent_channels=4)
    model = IntroVAEReconstructor(precision="fp32", sample_prior=sample_prior)
    weights = {"alpha": model.alpha, "beta": model.reconstruction_weight, "margin": model.margin}
    torch.manual_seed(1)
    losses = introspective_losses(network, *batch, **weights, sample_prior=sample_prior)
    players, expected = {"encoder": network.encoder, "decoder": network.decoder}, {}
    for name, half in players.items():
        gradient = torch.autograd.grad(losses[f"{name}_loss"], list(half.parameters()), retain_graph=True)
        expected[name] = [w - 1e-4 * g for w, g in zip(half.parameters(), gradient, strict=True)]
    torch.manual_seed(1)
    optimizers = {name: torch.optim.SGD(half.parameters(), lr=1e-4) for name, half in players.items()}
    model._play(Run(network, torch.device("cpu"), None, optimizers), *batch)
    for name, half in players.items():
        torch.testing.assert_close(list(half.parameters()), expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("still", ["encoder", "decoder"])
def test_a_player_that_does_not_step_keeps_its_weights_while_the_other_moves(batch, still):
    network = VAE(1, channels=(3, 5), latent_channels=4)
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    rates = {name: 0.0 if name == still else 0.1 for name in ("encoder", "decoder")}
    optimizers = {
        name: torch.optim.Adam(getattr(network, name).parameters(), lr=lr) for name, lr in rates.items()
    }
    IntroVAEReconstructor()._play(Run(network, torch.device("cpu"), None, optimizers), *batch)
    for name, weight in network.named_parameters():
        assert torch.equal(weight, before[name]) == name.startswith(still), name


def test_defaults_are_those_of_the_paper():
    params = IntroVAEReconstructor().get_params()
    paper = {
        "alpha": 0.5,
        "reconstruction_weight": 0.04,
        "margin": 120,
        "encoder_lr": 1e-4,
        "decoder_lr": 5e-3,
        "batch_size": 120,
        "max_epochs": 200,
        "channels": (32, 64, 128, 256, 512, 512),
        "latent_channels": 128,
    }
    assert {name: params[name] for name in paper} == paper


def test_history_tells_of_both_players_in_every_epoch(blobs):
    fitted = tiny(max_epochs=3).fit(blobs)
    assert fitted.history_.keys() == NAMES
    assert all(len(values) == 3 and np.isfinite(values).all() for values in fitted.history_.values())
    assert fitted.loss_curve_ == fitted.history_["encoder_loss"]


def test_history_keeps_to_the_equations(blobs):
    h = {
        name: np.array(values)
        for name, values in tiny(margin=0.0, alpha=0.25, reconstruction_weight=0.1)
        .fit(blobs)
        .history_.items()
    }
    error = 0.1 * h["reconstruction_error"]
    np.testing.assert_allclose(
        h["encoder_loss"], h["kl_real"] + error, rtol=1e-5
    )  # no margin: eq. 6 without game
    np.testing.assert_allclose(h["decoder_loss"], 0.25 * h["kl_reconstructed"] + error, rtol=1e-5)


def test_warm_up_is_a_plain_vae(blobs):
    warm = tiny(n_warmup_epochs=2, max_epochs=3).fit(blobs)
    h = warm.history_
    for name in ("kl_reconstructed", "share_inside_margin"):
        assert np.isnan(h[name][:2]).all() and np.isfinite(h[name][2])
    np.testing.assert_allclose(
        h["encoder_loss"][:2],
        np.array(h["kl_real"][:2]) + 0.04 * np.array(h["reconstruction_error"][:2]),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        h["decoder_loss"][:2], 0.04 * np.array(h["reconstruction_error"][:2]), rtol=1e-5
    )


def test_a_margin_that_no_reconstruction_is_inside_is_told(blobs):
    with pytest.warns(UserWarning, match=r"Only 0.0% .* below margin=0.001 nats .* that of a VAE"):
        fitted = tiny(margin=1e-3, max_epochs=3).fit(blobs)
    assert fitted.history_["share_inside_margin"] == [0, 0, 0]


def test_without_game_it_learns_as_a_plain_vae(blobs):
    """alpha=0 leaves eqs. (6) and (7) with the VAE's terms; only the random numbers differ."""
    plain = tiny(VAEReconstructor, ssim_weight=1.0, max_epochs=12, batch_size=8).fit(blobs)
    game = tiny(alpha=0.0, ssim_weight=1.0, max_epochs=12, batch_size=8).fit(blobs)
    assert game.history_["reconstruction_error"][-1] == pytest.approx(
        plain.history_["reconstruction_error"][-1], rel=0.3
    )


def test_the_margin_keeps_reconstructions_away_from_the_prior(blobs):
    """Where the decoder hardly moves, the encoder wins: KL of reconstructions reaches the margin."""
    params = {
        "reconstruction_weight": 1e-6,
        "encoder_lr": 3e-3,
        "decoder_lr": 1e-9,
        "max_epochs": 15,
        "batch_size": 8,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        told, untold = (tiny(margin=margin, **params).fit(blobs).history_ for margin in (60.0, 0.0))
    assert told["kl_reconstructed"][-1] > untold["kl_reconstructed"][-1] + 5


def test_prior_samples_take_part_in_the_game(blobs):
    with_prior, without = (tiny(sample_prior=flag, max_epochs=1).fit(blobs) for flag in (True, False))
    assert with_prior.history_["decoder_loss"][0] > without.history_["decoder_loss"][0]
    assert not torch.equal(weights(with_prior), weights(without))


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("n_warmup_epochs", [0, 2])
def test_resumed_game_ends_with_exactly_the_same_weights(blobs, tmp_path, n_warmup_epochs, epoch):
    params = {"n_warmup_epochs": n_warmup_epochs, "max_epochs": 3 + n_warmup_epochs, "sample_prior": True}
    whole = tiny(**params).fit(blobs)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        tiny(**params, callbacks=[Kill(epoch=epoch)]).fit(blobs)
    with checkpoint_in(tmp_path):
        resumed = tiny(**params).fit(blobs)
    assert torch.equal(weights(resumed), weights(whole))
    np.testing.assert_equal(resumed.history_, whole.history_)


class KillGame(Callback):
    """Ctrl-C in the first epoch of the second training."""

    trainings = 0

    def on_train_begin(self, net, **kwargs):
        KillGame.trainings += 1

    def on_batch_end(self, net, **kwargs):
        if KillGame.trainings == 2:
            raise KeyboardInterrupt


def test_game_killed_in_its_first_epoch_resumes_after_the_warm_up(blobs, tmp_path):
    params = {"n_warmup_epochs": 1, "max_epochs": 2}
    whole = tiny(**params).fit(blobs)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        tiny(**params, callbacks=[KillGame()]).fit(blobs)
    assert KillGame.trainings == 2
    with checkpoint_in(tmp_path):
        resumed = tiny(**params).fit(blobs)
    assert torch.equal(weights(resumed), weights(whole))


def test_a_warm_start_skips_the_warm_up(blobs):
    fitted = tiny(n_warmup_epochs=1, warm_start=True).fit(blobs)
    assert np.isfinite(fitted.fit(blobs).history_["kl_reconstructed"]).all()


def test_a_warm_up_without_a_game_is_refused(blobs):
    with pytest.raises(ValueError, match="n_warmup_epochs should be below max_epochs=2"):
        tiny(n_warmup_epochs=2).fit(blobs)


def test_a_lone_slice_with_one_latent_pixel_plays(blobs):
    X = blobs[:5, :, :8, 2:10]
    assert np.isfinite(tiny(channels=(3, 4, 5), batch_size=4).fit(X).score_samples(X)).all()


def test_bf16_plays_too(blobs):
    fitted = tiny(precision="bf16").fit(blobs)
    assert all(np.isfinite(values).all() for values in fitted.history_.values())


def test_a_file_gives_back_the_same_references(blobs, tmp_path):
    fitted = tiny(n_warmup_epochs=1).fit(blobs)
    skad.save(fitted, tmp_path / "introvae.skad")
    loaded = skad.load(tmp_path / "introvae.skad")
    np.testing.assert_array_equal(loaded.reconstruct(blobs), fitted.reconstruct(blobs))
    np.testing.assert_equal(loaded.history_, fitted.history_)


@pytest.mark.parametrize("max_epochs", [1, 8])
def test_a_reconstruction_weight_of_zero_is_called_a_collapse(blobs, max_epochs):
    with pytest.warns(
        CollapseWarning, match=r"IntroVAEReconstructor has collapsed.*reconstruction_weight=0 ties"
    ):
        tiny(reconstruction_weight=0, max_epochs=max_epochs).fit(blobs)


def test_slices_that_are_all_the_same_are_called_a_collapse(blobs):
    with pytest.warns(CollapseWarning, match="hardly differs between slices, raise reconstruction_weight"):
        tiny(max_epochs=5, augmentation=None).fit(np.repeat(blobs[:1], 8, axis=0))


def test_an_encoder_that_cannot_tell_reconstructions_is_called_a_collapse(blobs):
    model = tiny().fit(blobs)
    model.history_ = {
        "kl_real": [100.0] * 5,
        "kl_reconstructed": [99.5] * 5,
        "share_inside_margin": [0.5] * 5,
    }
    (reason,) = model._reasons_of_collapse(blobs)
    assert "did not tell images from reconstructions" in reason and "raise margin above" in reason


def test_a_game_that_works_does_not_warn(blobs):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        tiny(max_epochs=6, batch_size=8, encoder_lr=1e-3).fit(blobs)


@pytest.mark.gpu
def test_a_fit_on_the_gpu_leaves_the_same_history_twice(blobs):
    first, second = (tiny(device="cuda", max_epochs=3).fit(blobs) for _ in range(2))
    assert first.history_ == second.history_
    assert torch.equal(weights(first), weights(second))
