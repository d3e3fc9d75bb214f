"""Latent search on errors whose minimum is known."""

import pytest
import torch
from torch import nn

from skad.nn.latent_search import frozen, search_latents


def _distance(latents, images, foreground):
    """Squared distance of one-number latents from one-pixel images."""
    return (latents - images).square().flatten(1).sum(1)


def _case(*targets):
    images = torch.tensor(targets).view(-1, 1, 1, 1)
    return torch.zeros_like(images), images, torch.ones_like(images, dtype=torch.bool)


def _adam(target, n_steps, lr):
    """Plain Adam of one number, and the best it has seen."""
    z = torch.zeros((), requires_grad=True)
    optimizer, seen = torch.optim.Adam([z], lr=lr), [(target**2, 0.0)]
    for _ in range(n_steps):
        optimizer.zero_grad()
        (z - target).square().backward()
        optimizer.step()
        seen.append(((z.item() - target) ** 2, z.item()))
    return min(seen)


@pytest.mark.parametrize("tol", [0.0, 0.01])
def test_images_of_a_batch_are_searched_as_if_alone(tol):
    start, images, foreground = _case(3.0, 0.5, -1.0, 0.02)
    together, curve = search_latents(_distance, start, images, foreground, n_steps=40, lr=0.05, tol=tol)
    for i in range(4):
        part = slice(i, i + 1)
        alone, its_curve = search_latents(
            _distance, start[part], images[part], foreground[part], n_steps=40, lr=0.05, tol=tol
        )
        torch.testing.assert_close(together[part], alone, rtol=0, atol=1e-7)
        torch.testing.assert_close(curve[:, part], its_curve, rtol=0, atol=1e-7)


def test_search_is_adam_from_the_start_and_keeps_the_best():
    start, images, foreground = _case(3.0, 0.12)
    best, curve = search_latents(_distance, start, images, foreground, n_steps=30, lr=0.1)
    for i, target in enumerate((3.0, 0.12)):
        error, z = _adam(target, 30, 0.1)
        assert best[i].item() == pytest.approx(z, abs=1e-5)
        assert curve[-1, i].item() == pytest.approx(error, abs=1e-5)


def test_error_never_rises_even_when_the_steps_overshoot():
    start, images, foreground = _case(0.03, -0.01, 2.0)
    best, curve = search_latents(_distance, start, images, foreground, n_steps=25, lr=0.3)
    assert (curve.diff(dim=0) <= 0).all()
    torch.testing.assert_close(_distance(best, images, foreground), curve[-1])


def test_no_step_returns_the_start():
    start, images, foreground = _case(3.0, 0.5)
    best, curve = search_latents(_distance, start, images, foreground, n_steps=0, lr=0.1)
    assert torch.equal(best, start)
    torch.testing.assert_close(curve, torch.tensor([[9.0, 0.25]]))


def test_images_that_improve_too_little_stop_and_the_others_go_on():
    looked_at = []

    def error(latents, images, foreground):
        looked_at.append(len(latents))
        return _distance(latents, images, foreground)

    start, images, foreground = _case(3.0, 0.1)
    search_latents(error, start, images, foreground, n_steps=30, lr=0.1, tol=1e-3)
    assert looked_at[0] == 2 and looked_at[-1] == 1
    assert looked_at == sorted(looked_at, reverse=True)


def test_search_ends_when_all_images_are_through():
    start, images, foreground = _case(0.1, 0.1)
    _, curve = search_latents(_distance, start, images, foreground, n_steps=500, lr=0.1, tol=1e-3)
    assert curve.isfinite().all() and (curve[10:] == curve[-1]).all()


def test_search_works_where_gradients_are_switched_off():
    start, images, foreground = _case(1.0)
    with torch.no_grad():
        best, _ = search_latents(_distance, start, images, foreground, n_steps=5, lr=0.1)
    assert best.item() > 0.3 and not best.requires_grad


def test_an_error_that_is_not_a_number_leaves_the_start():
    start, images, foreground = _case(1.0, torch.nan)
    best, _ = search_latents(_distance, start, images, foreground, n_steps=5, lr=0.1)
    assert best[0].item() > 0.3 and best[1].item() == 0


def test_frozen_weights_are_trainable_again_afterwards():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    network[1].bias.requires_grad_(False)
    with frozen(network):
        assert not any(weight.requires_grad for weight in network.parameters())
    assert [weight.requires_grad for weight in network.parameters()] == [True, True, True, False]
