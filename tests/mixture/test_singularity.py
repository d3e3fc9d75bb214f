"""Singular covariances are recognized and named; the penalty grows as a variance vanishes."""

import pytest
import torch

from skad.mixture import (
    SingularCovarianceError,
    energy,
    floor_eigenvalues,
    mixture_moments,
    require_nonsingular,
    singularity_penalty,
)


def energies_under(covariances):
    n_components, n_features, _ = covariances.shape
    weights = torch.full((n_components,), 1 / n_components, dtype=torch.float64)
    return energy(torch.zeros(5, n_features), weights, torch.zeros(n_components, n_features), covariances)


def moments_of_a_plane():
    """Covariances of float32 pixels of rank 2 in 3 dimensions, given a third tiny variance by rounding."""
    random = torch.Generator().manual_seed(0)
    plane = torch.randn(500, 2, generator=random) @ torch.randn(2, 3, generator=random)
    return mixture_moments(plane, torch.randn(500, 4, generator=random).softmax(1))[2]


def test_energy_names_the_components_that_are_singular():
    covariances = torch.eye(3).repeat(4, 1, 1)
    covariances[1] = covariances[3] = torch.ones(3, 3)
    with pytest.raises(SingularCovarianceError, match=r"component\(s\) \[1, 3\] are singular"):
        energies_under(covariances)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_energy_refuses_covariances_that_are_not_finite(bad):
    covariances = torch.eye(3).repeat(2, 1, 1)
    covariances[1, 2, 2] = bad
    with pytest.raises(SingularCovarianceError, match=r"component\(s\) \[1\] hold NaN or infinity"):
        energies_under(covariances)


def test_pixels_on_a_plane_are_singular_although_rounding_hides_it():
    with pytest.raises(SingularCovarianceError, match=r"\[0, 1, 2, 3\] are singular"):
        require_nonsingular(moments_of_a_plane())


def test_pixels_on_a_plane_have_energies_with_the_floor():
    assert energies_under(floor_eigenvalues(moments_of_a_plane())).isfinite().all()


def test_a_component_that_is_one_point_is_singular():
    with pytest.raises(SingularCovarianceError):
        require_nonsingular(torch.zeros(1, 2, 2))


def test_a_badly_conditioned_covariance_is_not_singular_and_comes_back_itself():
    covariances = torch.diag(torch.tensor([1e4, 1.0, 1e-6], dtype=torch.float64))[None]
    assert require_nonsingular(covariances) is covariances


def test_a_singular_covariance_is_a_value_error():
    assert issubclass(SingularCovarianceError, ValueError)


def test_the_penalty_is_the_sum_of_the_inverse_variances():
    covariances = torch.tensor([[[2.0, 0.7], [0.7, 4.0]], [[0.5, 0.0], [0.0, 1.0]]])
    assert singularity_penalty(covariances).item() == 1 / 2 + 1 / 4 + 2 + 1


def test_the_penalty_pushes_a_small_variance_up():
    covariances = torch.diag(torch.tensor([1e-3, 1.0])).requires_grad_()
    singularity_penalty(covariances[None]).backward()
    assert covariances.grad[0, 0].item() == pytest.approx(-1e6)


def train_on_a_plane(constrain, n_steps=50):
    """Smallest eigenvalues and losses of features z = x A B whose covariance has rank 2 in 3 dimensions."""
    random = torch.Generator().manual_seed(0)
    pixels, left, right, logits = (
        torch.randn(s, generator=random) for s in [(300, 4), (4, 2), (2, 3), (300, 3)]
    )
    learned = [part.requires_grad_() for part in (left, right, logits)]
    optimizer = torch.optim.Adam(learned, lr=0.05)
    smallest, losses = [], []
    for _ in range(n_steps):
        features = pixels @ left @ right
        weights, means, covariances = mixture_moments(features, logits.softmax(dim=1))
        covariances = constrain(covariances)
        loss = energy(features, weights, means, covariances).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        smallest.append(torch.linalg.eigvalsh(covariances.detach()).min().item())
        losses.append(loss.item())
    return torch.tensor(smallest), torch.tensor(losses)


def test_fifty_steps_on_a_plane_keep_the_floor_and_a_falling_finite_loss():
    smallest, losses = train_on_a_plane(floor_eigenvalues)
    assert smallest.min() >= 1e-6 * (1 - 1e-3)
    assert losses.isfinite().all() and losses[-1] < losses[0] - 1


def test_training_on_a_plane_without_the_floor_stops():
    with pytest.raises(SingularCovarianceError):
        train_on_a_plane(require_nonsingular)
