"""Gaussian mixture VAE: every term against scipy and torch.distributions, the bound against brute force."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import norm
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

from skad.nn.gmvae import (
    GMVAE,
    c_prior_term,
    component_log_posterior,
    conditional_prior_term,
    elbo_terms,
    gmvae_losses,
    kl_between_normals,
    minus_elbo,
    reconstruction_term,
)

N, K, CHANNELS, H, W = 2, 4, 3, 2, 5


def tiny(**params):
    defaults = {"channels": (3, 5), "latent_channels": 3, "w_channels": 2, "n_components": K, "noise": 0.3}
    return GMVAE(2, **{**defaults, **params})


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def z():
    return torch.randn(N, CHANNELS, H, W)


@pytest.fixture
def components():
    return torch.randn(N, K, CHANNELS, H, W), torch.randn(N, K, CHANNELS, H, W)


@pytest.fixture
def batch():
    return 2 * torch.rand(4, 2, 8, 12) - 1, torch.rand(4, 1, 8, 12) < 0.7


def normals(mean, log_variance):
    return Normal(mean, (log_variance / 2).exp())


def test_posterior_of_the_components_is_that_of_scipy(z, components):
    means, log_variances = (each.double().numpy() for each in components)
    log_joint = norm.logpdf(z[:, None].double().numpy(), means, np.exp(log_variances / 2)).sum(axis=2)
    actual = component_log_posterior(z, *components).exp()
    np.testing.assert_allclose(actual, softmax(log_joint, axis=1), rtol=1e-4, atol=1e-6)


def test_posterior_stays_finite_far_from_all_components(z, components):
    log_posterior = component_log_posterior(1e4 * z, *components)
    assert log_posterior.isfinite().all()
    torch.testing.assert_close(log_posterior.exp().sum(1), torch.ones(N, H, W))


def test_divergence_between_normals_is_that_of_torch():
    a, b, c, d = torch.randn(4, 50)
    torch.testing.assert_close(
        kl_between_normals(a, b, c, d), kl_divergence(normals(a, b), normals(c, d)), rtol=1e-4, atol=1e-5
    )


def test_conditional_prior_is_the_expected_divergence(z, components):
    posterior, log_variance = torch.rand(N, K, H, W).log_softmax(1), torch.randn(N, CHANNELS, H, W)
    expected = torch.zeros(N)
    for k in range(K):
        component = normals(components[0][:, k], components[1][:, k])
        divergence = kl_divergence(normals(z, log_variance), component).sum(1)
        expected += (posterior[:, k].exp() * divergence).sum((1, 2))
    actual = conditional_prior_term((z, log_variance), components, posterior)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_c_prior_is_the_divergence_from_uniform():
    log_posterior = (3 * torch.randn(N, K, H, W)).log_softmax(1)
    each = kl_divergence(Categorical(logits=log_posterior.movedim(1, -1)), Categorical(torch.ones(K)))
    torch.testing.assert_close(c_prior_term(log_posterior), each.sum((1, 2)), rtol=1e-4, atol=1e-5)
    expected = torch.where(each > 0.5, each, 0.5).sum((1, 2))
    torch.testing.assert_close(c_prior_term(log_posterior, free_bits=0.5), expected, rtol=1e-4, atol=1e-5)
    assert (each < 0.5).any() and (each > 0.5).any()


def test_c_prior_of_certainty_is_finite_and_so_is_its_gradient():
    logits = torch.tensor([1e4, 0.0, 0.0, 0.0]).view(1, 4, 1, 1).requires_grad_()
    term = c_prior_term(logits.log_softmax(1))
    term.sum().backward()
    assert term.item() == pytest.approx(np.log(4)) and logits.grad.isfinite().all()


def test_reconstruction_is_minus_the_log_likelihood_of_the_foreground(batch):
    images, foreground = batch
    means = torch.randn_like(images)
    expected = -(Normal(means, 0.3).log_prob(images) * foreground).sum((1, 2, 3))
    torch.testing.assert_close(reconstruction_term(images, means, foreground, 0.3), expected)


@pytest.mark.parametrize("sample", [True, False])
def test_terms_are_those_of_the_generative_model(batch, sample):
    network = tiny().eval()
    torch.manual_seed(1)
    terms = elbo_terms(network, *batch, free_bits=0.1, sample=sample)
    torch.manual_seed(1)
    z, w = (normals(*posterior) for posterior in network.posteriors(batch[0]))
    z_point, w_point = (each.rsample() if sample else each.mean for each in (z, w))
    components = network.prior(w_point)
    log_posterior = component_log_posterior(z_point, *components)
    expected = {
        "reconstruction": reconstruction_term(batch[0], network.decoder(z_point), batch[1], 0.3),
        "conditional_prior": conditional_prior_term((z.mean, 2 * z.stddev.log()), components, log_posterior),
        "w_prior": kl_divergence(w, Normal(0.0, 1.0)).sum((1, 2, 3)),
        "c_prior": c_prior_term(log_posterior, 0.1),
    }
    torch.testing.assert_close(terms, expected, rtol=1e-4, atol=1e-3)


def test_bound_is_below_the_marginal_likelihood():
    """log p(x) of 16 pixels by importance sampling with 20 000 draws of w and z (c summed out) from q."""
    network = tiny(channels=(3,), latent_channels=1, w_channels=1, noise=1.0).eval()
    images, everywhere = torch.rand(1, 2, 2, 4), torch.ones(1, 1, 2, 4, dtype=torch.bool)
    n = 20000
    with torch.no_grad():
        (z, w) = (normals(*posterior) for posterior in network.posteriors(images))
        zs, ws = z.sample((n,)).squeeze(1), w.sample((n,)).squeeze(1)
        means, log_variances = network.prior(ws)
        mixture = MixtureSameFamily(
            Categorical(torch.ones(n, 1, 2, K)),
            Independent(normals(*(each.permute(0, 3, 4, 1, 2) for each in (means, log_variances))), 1),
        )
        log_weights = (
            -reconstruction_term(images, network.decoder(zs), everywhere, 1.0)
            + mixture.log_prob(zs.permute(0, 2, 3, 1)).sum((1, 2))
            + Normal(0.0, 1.0).log_prob(ws).sum((1, 2, 3))
            - z.log_prob(zs).sum((1, 2, 3))
            - w.log_prob(ws).sum((1, 2, 3))
        )
        marginal = log_weights.logsumexp(0) - np.log(n)
        terms = elbo_terms(network, images.expand(n, -1, -1, -1), everywhere)
    bound = -sum(terms.values()).mean()
    assert bound < marginal < bound + 15


def test_loss_is_the_sum_of_the_four_terms(batch):
    network = tiny()
    network.set_value_range([[-1.0, 1.0], [-2.0, 4.0]])
    losses = gmvae_losses(network, *batch, free_bits=0.0)
    terms = {"reconstruction", "conditional_prior", "w_prior", "c_prior"}
    assert losses.keys() == {"loss", *terms}
    torch.testing.assert_close(losses["loss"], sum(losses[name] for name in terms))


def test_scaling_back_undoes_the_scaling():
    network, images = tiny(), torch.rand(3, 2, 8, 12)
    network.set_value_range([[-1.0, 2.0], [0.0, 5.0]])
    torch.testing.assert_close(network.unscale(network.scale(images)), images)


def test_what_the_restoration_minimizes_leaves_nothing_to_chance(batch):
    network = tiny().eval()
    expected = sum(elbo_terms(network, *batch, free_bits=0.2, sample=False).values())
    for _ in range(2):
        torch.testing.assert_close(minus_elbo(network, *batch, free_bits=0.2), expected)


def test_gradients_reach_every_weight(batch):
    network = tiny()
    gmvae_losses(network, *batch, free_bits=0.0)["loss"].backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


def test_draws_of_the_prior_have_the_moments_of_the_mixture():
    """With w cut off, z is one mixture at every place: its mean and variance are known on paper."""
    network = tiny(latent_channels=2, w_channels=1)
    with torch.no_grad():
        network.prior.body[0].weight.zero_()
        draws = network.draw_latents(20000, 2, 1)
        means, log_variances = (each[0, :, :, 0, 0] for each in network.prior(torch.zeros(1, 1, 1, 1)))
    mean = means.mean(0)
    variance = (log_variances.exp() + means.square()).mean(0) - mean.square()
    torch.testing.assert_close(draws.mean((0, 2, 3)), mean, rtol=0, atol=0.04)
    torch.testing.assert_close(draws.var((0, 2, 3)), variance, rtol=0.05, atol=0)


def test_bf16_keeps_every_term_in_float32(batch):
    network = tiny()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = gmvae_losses(network, *batch, free_bits=0.0)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
