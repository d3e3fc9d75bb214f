"""Energies: against scikit-learn, scipy and finite differences."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

from skad.mixture import energy, floor_eigenvalues, log_responsibilities, mixture_moments

N_PIXELS, N_FEATURES, N_COMPONENTS = 300, 7, 6


def random_mixture(n_components=N_COMPONENTS, n_features=N_FEATURES, seed=0):
    """Weights, means, covariances as float64 arrays; condition numbers up to some thousands."""
    random = np.random.default_rng(seed)
    factors = random.normal(size=(n_components, n_features, n_features))
    covariances = factors @ factors.transpose(0, 2, 1) / n_features + 1e-3 * np.eye(n_features)
    return (
        random.dirichlet(np.ones(n_components)),
        random.normal(size=(n_components, n_features)),
        covariances,
    )


def scikit_learn_mixture(weights, means, covariances):
    mixture = GaussianMixture(len(weights))
    mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, covariances
    mixture.precisions_cholesky_ = _compute_precision_cholesky(covariances, "full")
    return mixture


def random_pixels(n_features=N_FEATURES, n_pixels=N_PIXELS, seed=1):
    return 2 * np.random.default_rng(seed).normal(size=(n_pixels, n_features))


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(array, dtype=float)) for array in arrays]


@pytest.mark.parametrize("seed", range(5))
def test_energies_are_minus_the_score_samples_of_scikit_learn(seed):
    parameters, pixels = random_mixture(seed=seed), random_pixels()
    expected = -scikit_learn_mixture(*parameters).score_samples(pixels)
    assert_allclose(energy(*tensors(pixels, *parameters)), expected, rtol=1e-6)
    assert_allclose(energy(*tensors(pixels, *parameters)), expected, rtol=1e-10)


def test_energies_agree_with_a_mixture_scikit_learn_has_fitted():
    pixels = np.concatenate([random_pixels(3), 4 + random_pixels(3, seed=2)])
    mixture = GaussianMixture(2, random_state=0).fit(pixels)
    energies = energy(*tensors(pixels, mixture.weights_, mixture.means_, mixture.covariances_))
    assert_allclose(energies, -mixture.score_samples(pixels), rtol=1e-6)


def test_one_component_is_the_multivariate_normal_of_scipy():
    (_, means, covariances), pixels = random_mixture(1, 4), random_pixels(4)
    expected = -multivariate_normal(means[0], covariances[0]).logpdf(pixels)
    assert_allclose(energy(*tensors(pixels, [1.0], means, covariances)), expected, rtol=1e-10)


def test_one_feature_and_one_pixel_keep_their_axes():
    energies = energy(torch.zeros(1, 1), torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1, 1))
    assert_allclose(energies, [0.5 * np.log(2 * np.pi)], rtol=1e-6)


def test_blocks_of_pixels_do_not_show(monkeypatch):
    parameters, pixels = tensors(*random_mixture()), tensors(random_pixels())[0]
    whole = energy(pixels, *parameters)
    monkeypatch.setitem(energy.__globals__["_BLOCK_VALUES"], "cpu", 42 * 11)
    assert_allclose(energy(pixels, *parameters), whole, rtol=1e-14)
    assert gradients(pixels, parameters)[0].isfinite().all()


def test_no_pixel_has_no_energy():
    assert energy(torch.zeros(0, N_FEATURES), *tensors(*random_mixture())).shape == (0,)


def test_features_of_another_number_are_an_error_with_the_shapes():
    with pytest.raises(ValueError, match=r"got \(5, 3\), \(6,\), \(6, 7\), \(6, 7, 7\)"):
        energy(torch.zeros(5, 3), *tensors(*random_mixture()))


def test_a_large_offset_does_not_change_the_energies():
    (weights, means, covariances), pixels = random_mixture(), random_pixels()
    expected = energy(*tensors(pixels, weights, means, covariances))
    shifted = energy(*tensors(pixels + 1e4, weights, means + 1e4, covariances))
    assert_allclose(shifted, expected, rtol=1e-7)


def test_a_large_offset_does_not_change_energies_in_float32_either():
    weights, means, covariances = tensors(*random_mixture(3, 40))
    pixels = (torch.from_numpy(random_pixels(40)) * 64).round().div(64).float()  # exact, also with the offset
    expected = energy(pixels, weights, means, covariances)
    assert_allclose(energy(pixels + 2**10, weights, means + 2**10, covariances), expected, rtol=1e-4)


def test_a_pixel_far_from_every_component_has_a_finite_energy():
    energies = energy(torch.full((1, N_FEATURES), 1e6, dtype=torch.float64), *tensors(*random_mixture()))
    assert 1e9 < energies.item() < np.inf


def test_energies_at_the_eigenvalue_floor_agree_with_scipy():
    flat = floor_eigenvalues(torch.ones(1, 3, 3, dtype=torch.float64))
    pixels = torch.randn(50, 3, dtype=torch.float64)
    expected = -multivariate_normal(np.zeros(3), flat[0].numpy()).logpdf(pixels)
    assert_allclose(energy(pixels, *tensors([1.0], np.zeros((1, 3))), flat), expected, rtol=1e-6)


def test_a_component_of_zero_weight_changes_nothing_and_keeps_gradients_finite():
    weights, means, covariances = tensors(*random_mixture(2, 3))
    pixels = tensors(random_pixels(3))[0]
    alone = energy(pixels, torch.ones(1, dtype=torch.float64), means[:1], covariances[:1])
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert_allclose(energy(pixels, weights, means, covariances), alone)
    assert all(part.isfinite().all() for part in gradients(pixels, [weights, means, covariances]))


def gradients(pixels, parameters):
    inputs = [part.clone().requires_grad_() for part in (pixels, *parameters)]
    return torch.autograd.grad(energy(*inputs).sum(), inputs)


def of_symmetric_part(function):
    """Finite differences move single entries of a covariance, a Cholesky factorisation reads one triangle."""
    return lambda pixels, weights, means, matrices: function(
        pixels, weights, means, (matrices + matrices.mT) / 2
    )


def test_gradients_in_all_four_arguments_are_those_of_finite_differences():
    inputs = [part.requires_grad_() for part in tensors(random_pixels(3, 5), *random_mixture(2, 3))]
    assert torch.autograd.gradcheck(of_symmetric_part(energy), inputs)


def test_gradients_through_moments_and_floor_are_those_of_finite_differences():
    pixels = torch.randn(9, 3, dtype=torch.float64)
    pixels[:, 2] = pixels[:, 0] - pixels[:, 1]  # rank 2 in 3 dimensions
    logits = torch.randn(9, 2, dtype=torch.float64)

    def mean_energy(features, scores):
        weights, means, covariances = mixture_moments(features, scores.softmax(1))
        return energy(features, weights, means, floor_eigenvalues(covariances, 0.05)).mean()

    assert torch.autograd.gradcheck(mean_energy, (pixels.requires_grad_(), logits.requires_grad_()))


def test_pixels_on_a_plane_train_with_finite_gradients_at_the_floor():
    plane = torch.randn(200, 2) @ torch.randn(2, 3)
    features, logits = plane.requires_grad_(), torch.randn(200, 4, requires_grad=True)
    weights, means, covariances = mixture_moments(features, logits.softmax(1))
    energy(features, weights, means, floor_eigenvalues(covariances)).mean().backward()
    assert features.grad.isfinite().all() and logits.grad.isfinite().all()


def test_float32_pixels_lose_nothing_but_their_own_rounding():
    parameters, pixels = tensors(*random_mixture()), tensors(random_pixels())[0].float()
    energies = energy(pixels, *parameters)
    assert energies.dtype == torch.float32
    assert_allclose(energies, energy(pixels.double(), *parameters), rtol=1e-7)


def test_many_features_in_float32_stay_close_to_scikit_learn():
    parameters, pixels = random_mixture(3, 40), random_pixels(40).astype(np.float32)
    expected = -scikit_learn_mixture(*parameters).score_samples(pixels.astype(float))
    assert_allclose(energy(torch.from_numpy(pixels), *tensors(*parameters)), expected, rtol=1e-3)


def test_autocast_does_not_touch_the_energies():
    parameters, pixels = tensors(*random_mixture(3, 40)), torch.from_numpy(random_pixels(40)).float()
    expected = energy(pixels, *parameters)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(energy(pixels, *parameters), expected)


def test_responsibilities_are_the_predict_proba_of_scikit_learn():
    parameters, pixels = random_mixture(), random_pixels()
    expected = scikit_learn_mixture(*parameters).predict_proba(pixels)
    assert_allclose(
        log_responsibilities(*tensors(pixels, *parameters)).exp(), expected, rtol=1e-6, atol=1e-12
    )


def test_gradients_of_responsibilities_are_those_of_finite_differences():
    inputs = [part.requires_grad_() for part in tensors(random_pixels(3, 5), *random_mixture(2, 3))]
    assert torch.autograd.gradcheck(of_symmetric_part(log_responsibilities), inputs)
