"""Networks of f-AnoGAN, and the loss that its encoder learns by."""

import pytest
import torch
from torch import nn

from skad.nn.fanogan import Critic, FAnoGAN, izi_f_losses
from skad.nn.wasserstein import gradient_penalty


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def batch():
    return 2 * torch.rand(3, 2, 8, 12) - 1, torch.rand(3, 1, 8, 12) < 0.7


@pytest.fixture
def critic():
    return Critic(2, (3, 5), (2, 3))


def test_shapes():
    network = FAnoGAN(2, channels=(3, 5), latent_channels=7, image_size=(8, 12))
    images = network.generate(4)
    assert images.shape == (4, 2, 8, 12) and images.abs().max() <= 1
    assert network.encode(images).shape == (4, 7, 1, 1)
    assert network.critic(images).shape == (4,)
    assert network.critic.features(images).shape == (4, 5 * 2 * 3)


def test_every_latent_moves_every_part_of_the_image():
    """A vector decides on the whole slice, as a map of latents without position could not."""
    network = FAnoGAN(1, channels=(3, 5), latent_channels=2, image_size=(8, 12)).eval()
    latents = torch.zeros(1, 2, 1, 1, requires_grad=True)
    image = network.decoder(latents)
    for i, j in ((0, 0), (7, 11)):
        (gradient,) = torch.autograd.grad(image[0, 0, i, j], latents, retain_graph=True)
        assert gradient.all()


def test_a_score_depends_on_its_own_image_only(critic):
    """In training mode too: what the gradient penalty asks of a critic."""
    critic.train()
    images = torch.randn(4, 2, 8, 12)
    alone = torch.cat([critic(image[None]) for image in images])
    torch.testing.assert_close(critic(images), alone)
    assert not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in critic.modules())


def test_penalty_of_the_critic_is_that_of_finite_differences(critic):
    critic = critic.double()
    real, generated = torch.randn(2, 2, 2, 8, 12, dtype=torch.float64).unbind()
    position = torch.tensor([0.3, 0.8], dtype=torch.float64)
    between = real + position[:, None, None, None] * (generated - real)
    step = 1e-6
    slopes = torch.zeros(2, 2 * 8 * 12, dtype=torch.float64)
    with torch.no_grad():
        for i in range(slopes.shape[1]):
            nudge = torch.zeros(2 * 8 * 12, dtype=torch.float64)
            nudge[i] = step
            nudge = nudge.view(2, 8, 12)
            slopes[:, i] = (critic(between + nudge) - critic(between - nudge)) / (2 * step)
    expected = (slopes.norm(dim=1) - 1).square()
    actual = gradient_penalty(critic, real, generated, position)
    torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-5)


def test_loss_of_a_perfect_reconstruction_is_zero(batch, critic):
    images, foreground = batch
    spoilt_background = torch.where(foreground, images, torch.rand_like(images))
    for reconstruction in (images, spoilt_background):
        losses = izi_f_losses(critic, images, reconstruction, foreground, kappa=2.0)
        assert all(value == 0 for value in losses.values())


def test_loss_is_image_residual_plus_kappa_times_that_of_the_features(batch, critic):
    images, _ = batch
    everywhere, other = torch.ones(3, 1, 8, 12, dtype=torch.bool), torch.randn_like(images)
    losses = izi_f_losses(critic, images, other, everywhere, kappa=2.0)
    image = nn.functional.mse_loss(images, other)
    features = nn.functional.mse_loss(critic.features(images), critic.features(other))
    torch.testing.assert_close(losses["image_residual"], image)
    torch.testing.assert_close(losses["feature_residual"], features)
    torch.testing.assert_close(losses["loss"], image + 2 * features)


def test_image_residual_is_a_mean_over_the_foreground(batch, critic):
    images, foreground = batch
    losses = izi_f_losses(critic, images, images + 0.3, foreground, kappa=0.0)
    assert losses["loss"].item() == pytest.approx(0.09, rel=1e-4)
