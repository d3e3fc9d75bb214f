"""WGAN-GP: penalty and losses on critics whose slope is known on paper."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skad.nn.wasserstein import critic_losses, generator_loss, gradient_penalty

SHAPE = (3, 2, 4, 5)


def linear(weight):
    return lambda images: (weight * images).sum((1, 2, 3))


@given(seed=st.integers(0, 1000), length=st.floats(0.1, 5.0))
def test_penalty_of_a_linear_critic_is_its_slope_off_one_squared(seed, length):
    torch.manual_seed(seed)
    weight = torch.randn(SHAPE[1:])
    weight = length * weight / weight.norm()
    penalty = gradient_penalty(linear(weight), torch.randn(SHAPE), torch.randn(SHAPE))
    torch.testing.assert_close(penalty, torch.full((3,), (length - 1) ** 2), rtol=1e-4, atol=1e-5)


def test_penalty_of_a_quadratic_critic_is_taken_between_the_images():
    """The slope of |x|^2 / 2 is x itself."""
    torch.manual_seed(0)
    real, generated, position = torch.randn(SHAPE), torch.randn(SHAPE), torch.tensor([0.0, 1.0, 0.25])
    penalty = gradient_penalty(lambda x: x.square().sum((1, 2, 3)) / 2, real, generated, position)
    between = torch.stack([real[0], generated[1], 0.75 * real[2] + 0.25 * generated[2]])
    torch.testing.assert_close(penalty, (between.flatten(1).norm(dim=1) - 1) ** 2)


def test_positions_are_drawn_for_every_pair():
    torch.manual_seed(0)
    real, generated = torch.zeros(2000, 1, 1, 1), torch.ones(2000, 1, 1, 1)
    slopes = 1 - gradient_penalty(lambda x: x.square().sum((1, 2, 3)) / 2, real, generated).sqrt()
    assert slopes.min() >= 0 and slopes.max() <= 1
    assert slopes.mean().item() == pytest.approx(0.5, abs=0.03)
    assert slopes.var().item() == pytest.approx(1 / 12, abs=0.01)


def test_penalty_pulls_the_slope_to_one():
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|."""
    weight = torch.tensor([[[3.0, 4.0]]], requires_grad=True)
    gradient_penalty(linear(weight), torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2)).sum().backward()
    torch.testing.assert_close(weight.grad, 2 * 4 * weight.detach() / 5)


def test_objectives_of_the_players_for_a_linear_critic():
    torch.manual_seed(0)
    weight, real, generated = torch.randn(SHAPE[1:]), torch.randn(SHAPE), torch.randn(SHAPE)
    losses = critic_losses(linear(weight), real, generated, penalty_weight=10.0)
    distance = (weight * (real.mean(0) - generated.mean(0))).sum()
    penalty = (weight.norm() - 1) ** 2
    expected = {
        "critic_loss": -distance + 10 * penalty,
        "wasserstein_distance": distance,
        "gradient_penalty": penalty,
        "generator_loss": -(weight * generated.mean(0)).sum(),
    }
    torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(generator_loss(linear(weight), generated), expected["generator_loss"])


def test_the_critic_learns_the_distance_of_two_point_masses():
    """The distance between 0 and a is |a|; a penalty of weight 10 lets the slope overshoot by |a| / 20.

    Minimize -|a| s + 10 (s - 1)^2 over the slope s: s = 1 + |a| / 20.
    """
    weight = torch.zeros(1, 1, 2).add_(0.01).requires_grad_()
    real, generated = torch.tensor([3.0, 4.0]).expand(8, 1, 1, 2), torch.zeros(8, 1, 1, 2)
    optimizer = torch.optim.SGD([weight], lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        losses = critic_losses(linear(weight), real, generated, penalty_weight=10.0)
        losses["critic_loss"].backward()
        optimizer.step()
    assert losses["wasserstein_distance"].item() == pytest.approx(5 * (1 + 5 / 20), rel=1e-3)


def test_the_critic_sends_no_gradient_into_the_images():
    real, generated = torch.randn(SHAPE, requires_grad=True), torch.randn(SHAPE, requires_grad=True)
    weight = torch.ones(SHAPE[1:], requires_grad=True)
    critic_losses(linear(weight), real, generated, penalty_weight=1.0)["critic_loss"].backward()
    assert real.grad is None and generated.grad is None and weight.grad is not None
