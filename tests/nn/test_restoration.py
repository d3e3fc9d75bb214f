"""Restoration: total variation by brute force, descent that is known on paper."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from skad.nn.restoration import restore, shrink_variation, total_variation


def squares(target):
    return lambda images: (images - target).square().sum((1, 2, 3))


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(3, 2, 5, 4), torch.rand(3, 1, 5, 4) < 0.6


def test_total_variation_sums_over_neighbors_in_the_foreground(batch):
    images, foreground = (each.numpy() for each in batch)
    expected = np.zeros(3)
    for n, c, i, j in itertools.product(range(3), range(2), range(5), range(4)):
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < 5 and m < 4 and foreground[n, 0, i, j] and foreground[n, 0, k, m]:
                expected[n] += abs(images[n, c, i, j] - images[n, c, k, m])
    np.testing.assert_allclose(total_variation(*batch), expected, rtol=1e-5)


def test_total_variation_pulls_nowhere_at_a_constant():
    images = torch.zeros(1, 1, 3, 4, requires_grad=True)
    total_variation(images, torch.ones(1, 1, 3, 4, dtype=torch.bool)).sum().backward()
    assert not images.grad.any()


def test_descent_on_a_parabola_shrinks_by_the_same_factor_in_every_step(batch):
    images, _ = batch
    everywhere = torch.ones(3, 1, 5, 4, dtype=torch.bool)
    restored, curve = restore(squares(0.5), images, everywhere, n_steps=7, lr=0.1)
    torch.testing.assert_close(restored, 0.5 + 0.8**7 * (images - 0.5))
    expected = squares(0.5)(images) * 0.8 ** (2 * torch.arange(8)[:, None])
    torch.testing.assert_close(curve, expected)


def test_background_stays(batch):
    images, foreground = batch
    restored, _ = restore(squares(0.5), images, foreground, n_steps=3, lr=0.1)
    torch.testing.assert_close(restored != images, foreground.expand_as(images))


def test_a_step_too_large_leaves_the_image_as_it_was(batch):
    """Factor 1 - 2 * 1.5 = -2: the parabola throws the image ever farther out."""
    images, foreground = batch
    restored, curve = restore(squares(0.5), images, foreground, n_steps=4, lr=1.5)
    assert torch.equal(restored, images)
    torch.testing.assert_close(curve, squares(0.5)(images).expand(5, 3))


def test_an_objective_that_overflows_leaves_the_best_image_seen(batch):
    images, foreground = batch
    restored, curve = restore(squares(0.5), images, foreground, n_steps=200, lr=100.0)
    assert torch.equal(restored, images) and curve.isfinite().all()


def test_images_are_restored_independently(batch):
    images, foreground = batch
    together, curve = restore(squares(0.5), images, foreground, n_steps=5, lr=0.2)
    alone, alone_curve = restore(squares(0.5), images[1:2], foreground[1:2], n_steps=5, lr=0.2)
    assert torch.equal(together[1:2], alone) and torch.equal(curve[:, 1:2], alone_curve)


def test_nothing_of_the_graph_is_left(batch):
    images, foreground = batch
    with torch.no_grad():
        restored, curve = restore(squares(0.5), images, foreground, n_steps=2, lr=0.1)
    assert not restored.requires_grad and not curve.requires_grad and not images.requires_grad


def differences_as_a_matrix(foreground):
    """One row per pair of neighbors that are both in the foreground (height, width)."""
    height, width = foreground.shape
    number, rows = np.arange(height * width).reshape(height, width), []
    for i, j in itertools.product(range(height), range(width)):
        for k, m in ((i + 1, j), (i, j + 1)):
            if k < height and m < width and foreground[i, j] and foreground[k, m]:
                row = np.zeros(height * width)
                row[number[i, j]], row[number[k, m]] = -1, 1
                rows.append(row)
    return np.array(rows)


def test_the_proximal_operator_solves_the_dual_problem_as_scipy_does(batch):
    images, foreground = batch
    found, _ = shrink_variation(images, foreground, 0.4, n_steps=500)
    for n, c in np.ndindex(3, 2):
        matrix, values = differences_as_a_matrix(foreground[n, 0].numpy()), images[n, c].numpy().ravel()
        dual = lsq_linear(matrix.T, values, bounds=(-0.4, 0.4), tol=1e-12).x
        np.testing.assert_allclose(found[n, c].ravel(), values - matrix.T @ dual, atol=1e-4)


def test_a_dual_of_before_saves_steps(batch):
    images, foreground = batch
    expected, dual = shrink_variation(images, foreground, 0.4, n_steps=500)
    again, _ = shrink_variation(images, foreground, 0.4, dual=dual, n_steps=1)
    torch.testing.assert_close(again, expected, atol=1e-5, rtol=1e-4)


def test_restoration_reaches_the_minimum_known_on_paper():
    """A parabola at 1 in two of three pixels: each wants to rise by 1, the variation costs one border."""
    images, everywhere = torch.zeros(1, 1, 1, 3), torch.ones(1, 1, 1, 3, dtype=torch.bool)
    target = torch.tensor([[[[1.0, 1.0, 0.0]]]])
    restored, curve = restore(squares(target), images, everywhere, n_steps=400, lr=0.02, tv_weight=0.5)
    # minimize 2 (u - 1)^2 + v^2 + 0.5 (u - v): u = 1 - 0.125, v = 0.25
    torch.testing.assert_close(restored.flatten(), torch.tensor([0.875, 0.875, 0.25]), atol=1e-3, rtol=0)
    assert (curve.diff(dim=0) <= 0).all()


def test_what_is_worth_less_than_its_border_moves_with_the_whole_image_only():
    images, everywhere = torch.zeros(1, 1, 5, 5), torch.ones(1, 1, 5, 5, dtype=torch.bool)
    target = torch.zeros(1, 1, 5, 5)
    target[..., 2, 2] = 1.0  # slope 2 against four borders of 0.6
    restored, _ = restore(squares(target), images, everywhere, n_steps=400, lr=0.02, tv_weight=0.6)
    torch.testing.assert_close(restored, torch.full_like(images, 1 / 25), atol=1e-4, rtol=0)
