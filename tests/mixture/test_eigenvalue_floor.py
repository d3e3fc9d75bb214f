"""The eigenvalue floor and its gradient, most of all where eigenvalues coincide."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from skad.mixture import SingularCovarianceError, count_floored, floor_eigenvalues

FLOOR = 0.5


def with_eigenvalues(*eigenvalues, seed=0):
    rotation = torch.from_numpy(ortho_group.rvs(len(eigenvalues), random_state=seed))
    return rotation @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ rotation.T


def passes_gradcheck(covariances):
    def floored(matrices):
        return floor_eigenvalues(matrices, FLOOR)

    return torch.autograd.gradcheck(floored, covariances.clone().requires_grad_())


def gradient_of_random_functional(covariances, floor=1e-6):
    covariances = covariances.clone().requires_grad_()
    outer = torch.randn(
        covariances.shape, generator=torch.Generator().manual_seed(3), dtype=covariances.dtype
    )
    (outer * floor_eigenvalues(covariances, floor)).sum().backward()
    return covariances.grad, outer


def test_only_eigenvalues_below_the_floor_move():
    floored = floor_eigenvalues(with_eigenvalues(3.0, 0.7, 0.2, -1.0), FLOOR)
    torch.testing.assert_close(floored, with_eigenvalues(3.0, 0.7, FLOOR, FLOOR))


def test_a_covariance_above_the_floor_passes_unchanged():
    covariances = torch.stack([with_eigenvalues(3.0, 2.0, 1.0), with_eigenvalues(9.0, 9.0, 9.0, seed=1)])
    torch.testing.assert_close(floor_eigenvalues(covariances, FLOOR), covariances)


def test_gradcheck_at_distinct_eigenvalues_on_both_sides_of_the_floor():
    assert passes_gradcheck(torch.stack([with_eigenvalues(3.0, 1.0, 0.3, 0.1, seed=s) for s in range(3)]))


@pytest.mark.parametrize(
    "eigenvalues",
    [
        (2.0, 2.0, 2.0),
        (0.1, 0.1, 0.1),
        (2.0, 2.0, 0.1),
        (2.0, 0.1, 0.1),
        (2.0, 2.0, 0.1, 0.1),
        (0.0, 0.0, 0.0),
        (3.0, 0.0, 0.0, 0.0),
    ],
    ids=str,
)
def test_gradcheck_at_repeated_eigenvalues(eigenvalues):
    assert passes_gradcheck(with_eigenvalues(*eigenvalues))


def test_gradcheck_at_exact_multiples_of_the_identity():
    assert passes_gradcheck(torch.eye(3, dtype=torch.float64) * torch.tensor([2.0, 0.1]).view(2, 1, 1))


def test_gradcheck_at_eigenvalues_a_rounding_error_apart():
    assert passes_gradcheck(with_eigenvalues(2.0, 2.0 + 1e-15, 0.1, 0.1 + 1e-16))


@pytest.mark.parametrize(("side", "slope"), [(1e-6, 1.0), (-1e-6, 0.0)], ids=["above", "below"])
def test_the_slope_beside_the_kink_is_that_of_its_side(side, slope):
    direction = with_eigenvalues(1.0, 1.0, 1.0)

    def along(step):
        step = torch.as_tensor(step, dtype=torch.float64)
        return floor_eigenvalues((FLOOR + side + step) * direction, FLOOR).trace() / 3

    step = torch.zeros((), dtype=torch.float64, requires_grad=True)
    along(step).backward()
    difference = (along(5e-7) - along(-5e-7)) / 1e-6
    assert step.grad.item() == pytest.approx(slope, abs=1e-9)
    assert difference.item() == pytest.approx(slope, abs=1e-6)


def test_an_eigenvalue_on_the_kink_counts_as_below_like_a_relu():
    gradient, _ = gradient_of_random_functional(FLOOR * torch.eye(3, dtype=torch.float64), FLOOR)
    assert not gradient.any()


@settings(max_examples=60, deadline=None)
@given(
    eigenvalues=st.lists(
        st.sampled_from([0.0, -1e-9, 1e-7, 1e-6, 1e-6 + 1e-18, 2e-6, 1.0, 1.0 + 1e-12, 40.0]), min_size=2
    ),
    seed=st.integers(0, 9),
)
def test_the_gradient_is_never_larger_than_the_one_that_comes_in(eigenvalues, seed):
    gradient, outer = gradient_of_random_functional(with_eigenvalues(*eigenvalues[:6], seed=seed))
    assert gradient.isfinite().all()
    assert gradient.norm() <= outer.norm() * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(rank=st.integers(0, 4), scale=st.sampled_from([1e-8, 1.0, 1e3]), seed=st.integers(0, 99))
def test_rank_deficient_covariances_keep_every_eigenvalue_at_the_floor(rank, scale, seed):
    factors = torch.randn(4, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    floored = floor_eigenvalues(scale * factors @ factors.T)
    assert torch.linalg.eigvalsh(floored).min() >= 1e-6 * (1 - 1e-3)


def test_the_result_is_exactly_symmetric():
    floored = floor_eigenvalues(with_eigenvalues(3.0, 1.0, 0.3, 0.1), FLOOR)
    assert torch.equal(floored, floored.T)


def test_float32_comes_back_as_float32_after_float64_arithmetic():
    covariance = with_eigenvalues(5.0, 1.0, 1e-9)
    floored = floor_eigenvalues(covariance.float())
    assert floored.dtype == torch.float32
    torch.testing.assert_close(
        floored, floor_eigenvalues(covariance.float().double()).float(), rtol=0, atol=0
    )


def test_count_floored_tells_how_many_eigenvalues_would_move():
    covariances = torch.stack([with_eigenvalues(3.0, 2.0, 1.0), with_eigenvalues(3.0, 0.1, -1.0)])
    assert count_floored(covariances, FLOOR).tolist() == [0, 2]


def test_covariances_that_are_not_finite_name_their_component():
    covariances = torch.eye(3).repeat(4, 1, 1)
    covariances[2, 0, 1] = torch.nan
    with pytest.raises(SingularCovarianceError, match=r"component\(s\) \[2\] hold NaN or infinity"):
        floor_eigenvalues(covariances)
