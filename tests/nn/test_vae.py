"""Variational autoencoder: its objective against closed forms, its architecture against the paper."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from skad.nn.divergence import draw_normal, kl_to_standard_normal
from skad.nn.reconstruction_error import reconstruction_error
from skad.nn.residual_blocks import ResidualBlock
from skad.nn.vae import VAE, vae_losses


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _tiny(**kwargs):
    return VAE(2, **{"channels": (3, 5), "latent_channels": 4, **kwargs})


def _batch(n=3, height=8, width=12):
    return 2 * torch.rand(n, 2, height, width) - 1, torch.rand(n, 1, height, width) < 0.7


def test_divergence_is_that_of_torch_distributions():
    mean, log_variance = torch.randn(3, 2, 4, 5), torch.randn(3, 2, 4, 5)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum((1, 2, 3))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_draws_have_the_mean_and_variance_of_the_posterior():
    draws = draw_normal(torch.full((20000, 1), 3.0), torch.full((20000, 1), math.log(4.0)))
    assert draws.mean().item() == pytest.approx(3.0, abs=0.06)
    assert draws.var().item() == pytest.approx(4.0, rel=0.05)


def test_gradients_pass_through_a_draw():
    mean, log_variance = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    draw = draw_normal(mean, log_variance)
    draw.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(2, 3))
    torch.testing.assert_close(log_variance.grad, (draw / 2).detach())  # mean 0, sigma 1: the draw is epsilon


def test_squared_error_is_a_sum_over_256_x_256_foreground_pixels():
    (x, foreground), (y, _) = _batch(), _batch()
    expected = [
        256**2 * ((a - b) ** 2)[:, inside[0]].mean()
        for a, b, inside in zip(x.numpy(), y.numpy(), foreground.numpy(), strict=True)
    ]
    np.testing.assert_allclose(reconstruction_error(x, y, foreground, ssim_weight=0), expected, rtol=1e-5)


def test_structural_term_of_constant_images_has_a_closed_form():
    x, y = torch.full((1, 1, 9, 7), 0.02), torch.full((1, 1, 9, 7), -0.01)
    foreground = torch.ones(1, 1, 9, 7, dtype=torch.bool)
    c1 = (0.01 * 2) ** 2  # of Wang et al., for values from -1 to 1
    similarity = (2 * 0.02 * -0.01 + c1) / (0.02**2 + 0.01**2 + c1)
    expected = 256**2 * (0.03**2 + 3 * (1 - similarity))
    assert reconstruction_error(x, y, foreground, ssim_weight=3.0).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("ssim_weight", [0.0, 1.0])
def test_error_does_not_look_at_the_background(ssim_weight):
    (x, foreground), (y, _) = _batch(), _batch()
    spoilt = torch.where(foreground, y, torch.rand_like(y))
    errors = [reconstruction_error(x, r, foreground, ssim_weight=ssim_weight) for r in (y, spoilt)]
    torch.testing.assert_close(*errors)


@pytest.mark.parametrize("larger", [(1, 1, 3, 2), (1, 4, 1, 1)], ids=["image", "contrasts"])
def test_error_means_the_same_at_any_size_and_number_of_contrasts(larger):
    (x, foreground), (y, _) = _batch(), _batch()
    small = reconstruction_error(x, y, foreground, ssim_weight=0)
    repeated = foreground.repeat(1, 1, *larger[2:])
    torch.testing.assert_close(
        reconstruction_error(x.repeat(larger), y.repeat(larger), repeated, ssim_weight=0), small
    )


def test_error_of_an_image_without_foreground_is_zero():
    (x, foreground), (y, _) = _batch(), _batch()
    foreground[1] = False
    error = reconstruction_error(x, y, foreground)
    assert error[1] == 0 and (error[[0, 2]] > 0).all()


def test_default_architecture_is_that_of_the_paper():
    with torch.device("meta"):  # shapes without numbers
        network = VAE(1)
        assert network.encoder.body(torch.empty(2, 1, 256, 256)).shape == (2, 512, 4, 4)
        assert network.decoder.body(torch.empty(2, 128, 4, 4)).shape == (2, 16, 256, 256)
    assert network.encoder.heads.out_channels == 2 * 128
    assert network.decoder.head.out_channels == 1
    for half, filters in (
        (network.encoder, [32, 64, 128, 256, 512, 512]),
        (network.decoder, [512, 512, 256, 128, 64, 32, 16]),
    ):
        assert [part.n_outputs for part in half.body if isinstance(part, ResidualBlock)] == filters


def test_weights_start_with_the_variance_of_he():
    block = ResidualBlock(40, 64)
    first, skip = block.body[0].weight, block.skip[0].weight
    assert first.std().item() == pytest.approx(math.sqrt(2 / (1 + 0.2**2) / (9 * 40)), rel=0.02)
    assert skip.std().item() == pytest.approx(math.sqrt(1 / 40), rel=0.05)


def test_log_variances_are_clamped():
    network = _tiny()
    torch.nn.init.constant_(network.encoder.heads.bias, 1e3)
    assert (network.encoder(_batch()[0])[1] == 10).all()
    torch.nn.init.constant_(network.encoder.heads.bias, -1e3)
    assert (network.encoder(_batch()[0])[1] == -10).all()


def test_range_of_the_data_is_minus_one_to_one_inside():
    network = _tiny()
    network.set_value_range([[0.0, 10.0], [-3.0, -1.0]])
    values = torch.tensor([[-5.0, 0.0, 5.0, 10.0, 99.0], [-9.0, -3.0, -2.0, -1.0, 99.0]]).view(1, 2, 1, 5)
    expected = torch.tensor([-1.0, -1, 0, 1, 1]).expand(1, 2, 1, 5)
    torch.testing.assert_close(network.scale(values), expected)


def test_decoded_images_are_in_the_range_of_the_data():
    network = _tiny().eval()
    network.set_value_range([[0.0, 10.0], [-3.0, -1.0]])
    images = network.decode(100 * torch.randn(3, 4, 2, 3))
    assert images[:, 0].min() >= 0 and images[:, 0].max() <= 10 and images[:, 0].std() > 1
    assert images[:, 1].min() >= -3 and images[:, 1].max() <= -1


def test_error_of_a_latent_is_that_of_its_decoded_image():
    network = _tiny().eval()
    network.set_value_range([[0.0, 10.0], [-3.0, -1.0]])
    images, foreground = _batch()
    latents = network.encode(images)
    expected = reconstruction_error(network.scale(images), network.scale(network.decode(latents)), foreground)
    torch.testing.assert_close(network.error(latents, images, foreground), expected, rtol=1e-4, atol=1e-2)


def test_vae_objective_is_divergence_plus_weighted_error():
    network = _tiny(ssim_weight=0.5)
    images, foreground = _batch()
    torch.manual_seed(1)
    losses = vae_losses(network, images, foreground, reconstruction_weight=0.04)
    torch.manual_seed(1)
    mean, log_variance = network.encoder(images)
    decoded = network.decoder(mean + (log_variance / 2).exp() * torch.randn(mean.shape))
    kl = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum((1, 2, 3)).mean()
    error = reconstruction_error(images, decoded, foreground, ssim_weight=0.5).mean()
    torch.testing.assert_close(losses["loss"], kl + 0.04 * error)
    torch.testing.assert_close(losses["kl_real"], kl)
    torch.testing.assert_close(losses["reconstruction_error"], error)


def test_bf16_keeps_divergence_and_error_in_float32():
    network, (images, foreground) = _tiny(), _batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = vae_losses(network, images, foreground, reconstruction_weight=0.04)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
