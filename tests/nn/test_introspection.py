"""The game of IntroVAE: equations (4)-(7) by hand, and whose weights each objective reaches."""

import pytest
import torch

from skad.nn.divergence import kl_to_standard_normal
from skad.nn.introspection import decoder_objective, encoder_objective, introspective_losses
from skad.nn.reconstruction_error import reconstruction_error
from skad.nn.vae import VAE, vae_losses

PAPER = {"alpha": 0.5, "beta": 0.04, "margin": 120.0}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def network():
    return VAE(1, channels=(3, 5), latent_channels=4)


@pytest.fixture
def batch():
    images, foreground = 2 * torch.rand(3, 1, 8, 12) - 1, torch.rand(3, 1, 8, 12) < 0.7
    return torch.where(foreground, images, -1.0), foreground


def _inputs_of(module):
    seen = []
    module.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    return seen


def _gradients(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)


def test_encoder_objective_by_hand():
    kl_real, kl_generated, error = (
        torch.tensor([10.0, 200.0]),
        torch.tensor([[50.0, 130.0]]),
        torch.tensor([100.0, 0.0]),
    )
    value = encoder_objective(kl_real, kl_generated, error, **PAPER)
    assert value.tolist() == [10 + 0.5 * (120 - 50) + 0.04 * 100, 200]  # the second is beyond the margin


def test_decoder_objective_by_hand():
    value = decoder_objective(torch.tensor([[50.0, 130.0]]), torch.tensor([100.0, 0.0]), alpha=0.5, beta=0.04)
    assert value.tolist() == [0.5 * 50 + 0.04 * 100, 0.5 * 130]


def test_terms_of_several_generated_images_add_up():
    kl, zero = torch.tensor([[50.0], [110.0]]), torch.zeros(1)
    assert encoder_objective(zero, kl, zero, **PAPER).item() == 0.5 * (70 + 10)
    assert decoder_objective(kl, zero, alpha=0.5, beta=0.04).item() == 0.5 * 160


@pytest.mark.parametrize("sample_prior", [False, True])
def test_losses_are_the_equations_with_every_pass_written_out(network, batch, sample_prior):
    images, foreground = batch
    torch.manual_seed(1)
    losses = introspective_losses(network, *batch, **PAPER, sample_prior=sample_prior)
    torch.manual_seed(1)
    mean, log_variance = network.encoder(images)
    decoded = network.decoder(mean + (log_variance / 2).exp() * torch.randn(mean.shape))
    error = reconstruction_error(images, decoded, foreground)
    shown = [torch.where(foreground, decoded, -1.0)]
    if sample_prior:
        shown.append(torch.where(foreground, network.decoder(torch.randn(mean.shape)), -1.0))
    kl_fake = kl_to_standard_normal(*network.encoder(torch.cat(shown)))
    kl = kl_to_standard_normal(mean, log_variance).mean()
    margin = 0.5 * (120 - kl_fake).clamp(min=0).sum() / 3
    torch.testing.assert_close(losses["encoder_loss"], kl + margin + 0.04 * error.mean())
    torch.testing.assert_close(losses["decoder_loss"], 0.5 * kl_fake.sum() / 3 + 0.04 * error.mean())
    torch.testing.assert_close(losses["kl_real"], kl)
    torch.testing.assert_close(losses["kl_reconstructed"], kl_fake[:3].mean())
    torch.testing.assert_close(losses["share_inside_margin"], (kl_fake[:3] < 120).float().mean())


def test_encoder_does_not_learn_from_the_margin_through_the_decoder(network, batch):
    losses = introspective_losses(network, *batch, alpha=0.5, beta=0.0, margin=1e6)
    assert not any(gradient.any() for gradient in _gradients(losses["encoder_loss"], network.decoder))
    assert all(gradient.any() for gradient in _gradients(losses["decoder_loss"], network.decoder))


def test_margin_drives_reconstructions_from_the_prior_and_the_decoder_brings_them_back(network, batch):
    losses = introspective_losses(network, *batch, alpha=1.0, beta=0.0, margin=1e6)
    kl_real = losses["kl_real"]
    torch.testing.assert_close(losses["encoder_loss"], kl_real + 1e6 - losses["kl_reconstructed"])
    torch.testing.assert_close(losses["decoder_loss"], losses["kl_reconstructed"])


def test_beyond_the_margin_the_encoder_learns_as_a_plain_vae(network, batch):
    torch.manual_seed(1)
    game = introspective_losses(network, *batch, alpha=0.5, beta=0.04, margin=0.0)
    torch.manual_seed(1)
    plain = vae_losses(network, *batch, reconstruction_weight=0.04)
    for actual, expected in zip(
        _gradients(game["encoder_loss"], network.encoder),
        _gradients(plain["loss"], network.encoder),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("sample_prior", "n_decoded"), [(False, 1), (True, 2)])
def test_three_passes_of_the_encoder_and_one_of_the_decoder_are_shared(
    network, batch, sample_prior, n_decoded
):
    encoded, decoded = _inputs_of(network.encoder), _inputs_of(network.decoder)
    introspective_losses(network, *batch, **PAPER, sample_prior=sample_prior)
    assert len(encoded) == 3
    assert len(decoded) == n_decoded


def test_generated_images_show_the_background_of_their_image(network, batch):
    images, foreground = batch
    encoded = _inputs_of(network.encoder)
    introspective_losses(network, *batch, **PAPER, sample_prior=True)
    for generated in encoded[1].chunk(2):
        assert torch.equal(generated[~foreground], images[~foreground])
        assert not torch.equal(generated[foreground], images[foreground])


def test_generated_images_leave_no_trace_in_running_statistics(network, batch):
    introspective_losses(network, *batch, **PAPER, sample_prior=True)
    played = {name: value.clone() for name, value in network.encoder.named_buffers()}
    torch.manual_seed(0)
    fresh = VAE(1, channels=(3, 5), latent_channels=4)
    fresh.encoder(batch[0])
    for name, value in fresh.encoder.named_buffers():
        assert torch.equal(played[name], value), name
    assert all(
        part.track_running_stats for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)
    )
