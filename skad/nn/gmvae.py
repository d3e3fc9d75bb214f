"""Gaussian mixture variational autoencoder: its networks and the four terms of its evidence lower bound."""

import math

import torch
from torch import nn

from skad.nn.divergence import draw_normal, kl_to_standard_normal
from skad.nn.residual_blocks import SLOPE
from skad.nn.vae import LOG_VARIANCES, VAE, Encoder


class MixturePrior(nn.Module):
    """p(z | w, c): at every place of the latent map, w decides on a Gaussian of z for each component c.

    Parameters
    ----------
    latent_channels, w_channels : int
        Channels of z and w.
    n_components : int
    width : int, default=64
        Units of the hidden layer.
    """

    def __init__(self, latent_channels, w_channels, n_components, width=64):
        super().__init__()
        self.latent_channels, self.w_channels = latent_channels, w_channels
        self.n_components, self.width = n_components, width
        self.body = nn.Sequential(
            nn.Conv2d(w_channels, width, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, 2 * n_components * latent_channels, 1),
        )

    def forward(self, w):
        """Means and log-variances (n, n_components, latent_channels, h, w) of w (n, w_channels, h, w)."""
        with torch.autocast(w.device.type, enabled=False):
            both = self.body(w.float()).unflatten(1, (2, self.n_components, self.latent_channels))
        return both[:, 0], both[:, 1].clamp(*LOG_VARIANCES)


class GMVAE(VAE):
    """A VAE whose prior of z is a mixture of Gaussians that a second latent map w moves.

    Generation: w ~ N(0, I), c ~ uniform, z ~ p(z | w, c), x ~ N(decoder(z), noise^2). One w, c and z at every
    place of the latent map.

    Parameters
    ----------
    n_contrasts : int
    channels : sequence of int
        As of :class:`skad.nn.vae.VAE`.
    latent_channels, w_channels : int
        Channels of z and w.
    n_components : int
    noise : float
        Standard deviation of a pixel around the decoder's output, on the scale of [-1, 1].

    Examples
    --------
    >>> import torch
    >>> network = GMVAE(1, channels=(4, 8), latent_channels=3, w_channels=2, n_components=5, noise=0.2).eval()
    >>> network.encode(torch.rand(2, 1, 8, 12)).shape
    torch.Size([2, 3, 2, 3])
    """

    def __init__(self, n_contrasts, *, channels, latent_channels, w_channels, n_components, noise):
        super().__init__(n_contrasts, channels=channels, latent_channels=latent_channels, ssim_weight=0.0)
        self.w_channels, self.n_components, self.noise = w_channels, n_components, noise
        self.encoder = Encoder(n_contrasts, self.channels, latent_channels + w_channels)
        self.prior = MixturePrior(latent_channels, w_channels, n_components)

    def posteriors(self, images):
        """q(z | x) and q(w | x) of images in [-1, 1]: two pairs of mean and log-variance."""
        sizes = [self.latent_channels, self.w_channels]
        means, log_variances = (each.split(sizes, dim=1) for each in self.encoder(images))
        return tuple(zip(means, log_variances, strict=True))

    def encode(self, images):
        """Latents z of every image: the mean of q(z | x). Images are in the intensities of the data."""
        return self.posteriors(self.scale(images))[0][0]

    def unscale(self, images):
        """From [-1, 1] to the intensities of the data."""
        return self.lowest + (self.highest - self.lowest) * (images + 1) / 2

    def draw_latents(self, n, height, width):
        """Draws of z from its prior, shape (n, latent_channels, height, width) of the latent map."""
        means, log_variances = self.prior(torch.randn(n, self.w_channels, height, width))
        chosen = torch.randint(self.n_components, (n, 1, 1, height, width))
        chosen = chosen.expand(-1, -1, self.latent_channels, -1, -1)
        return draw_normal(*(each.gather(1, chosen).squeeze(1) for each in (means, log_variances)))


def component_log_posterior(z, means, log_variances):
    """log q(c | z, w) by Bayes' rule from p(z | w, c) and the uniform p(c), in closed form.

    Parameters
    ----------
    z : Tensor of shape (n, latent_channels, h, w)
    means, log_variances : Tensors of shape (n, n_components, latent_channels, h, w)
        Of p(z | w, c).

    Returns
    -------
    Tensor of shape (n, n_components, h, w)
        What all components share (p(c), the constant of the Gaussian) cancels.
    """
    squares = (z[:, None] - means).square() * (-log_variances).exp()
    return (-0.5 * (squares + log_variances).sum(2)).log_softmax(dim=1)


def kl_between_normals(mean, log_variance, prior_mean, prior_log_variance):
    """KL(N(mean, exp(log_variance)) || N(prior_mean, exp(prior_log_variance))) of every number, in nats."""
    ratio = log_variance - prior_log_variance
    distance = (mean - prior_mean).square() * (-prior_log_variance).exp()
    return 0.5 * (ratio.exp() + distance - 1 - ratio)


def conditional_prior_term(z_posterior, components, log_posterior):
    """E_q(c|z,w) KL(q(z|x) || p(z|w,c)), summed over the latent map, shape (n,).

    Parameters
    ----------
    z_posterior : (Tensor, Tensor) of shape (n, latent_channels, h, w)
        Mean and log-variance of q(z | x).
    components : (Tensor, Tensor) of shape (n, n_components, latent_channels, h, w)
        Those of p(z | w, c).
    log_posterior : Tensor of shape (n, n_components, h, w)
        log q(c | z, w).
    """
    mean, log_variance = (each[:, None] for each in z_posterior)
    divergence = kl_between_normals(mean, log_variance, *components).sum(2)
    return (log_posterior.exp() * divergence).sum((1, 2, 3))


def c_prior_term(log_posterior, free_bits=0.0):
    """KL(q(c|z,w) || p(c)) with uniform p(c), summed over the latent map, shape (n,).

    Parameters
    ----------
    log_posterior : Tensor of shape (n, n_components, h, w)
    free_bits : float, default=0.0
        What a place may spend on its component for nothing, nats: it is charged at least this.
    """
    entropy = -(log_posterior.exp() * log_posterior).sum(1)
    return (math.log(log_posterior.shape[1]) - entropy).clamp(min=free_bits).sum((1, 2))


def reconstruction_term(images, means, foreground, noise):
    """-log N(images; means, noise^2), summed over foreground pixels and contrasts, shape (n,), nats."""
    surprise = 0.5 * ((images - means) / noise).square() + math.log(noise) + 0.5 * math.log(2 * math.pi)
    return (surprise * foreground).sum((1, 2, 3))


def elbo_terms(network, images, foreground, *, free_bits=0.0, sample=True):
    """The four terms whose sum is minus the evidence lower bound of every image.

    Parameters
    ----------
    network : GMVAE
    images : Tensor of shape (n, n_contrasts, height, width)
        In [-1, 1]; differentiable in them.
    foreground : bool Tensor of shape (n, 1, height, width)
    free_bits : float, default=0.0
    sample : bool, default=True
        Take the expectations over q(z | x) and q(w | x) at one draw of each (training), or at their means,
        which leaves nothing to chance.

    Returns
    -------
    dict of Tensors of shape (n,), nats
        "reconstruction" -E log p(x|z), "conditional_prior" E KL(q(z|x) || p(z|w,c)), "w_prior"
        KL(q(w|x) || N(0, I)), "c_prior" E KL(q(c|z,w) || p(c)).

    References
    ----------
    Dilokthanakul et al. 2016, section 3; You et al. 2019, section 2.
    """
    z_posterior, w_posterior = network.posteriors(images)
    z, w = (draw_normal(*posterior) if sample else posterior[0] for posterior in (z_posterior, w_posterior))
    components = network.prior(w)
    log_posterior = component_log_posterior(z, *components)
    return {
        "reconstruction": reconstruction_term(images, network.decoder(z), foreground, network.noise),
        "conditional_prior": conditional_prior_term(z_posterior, components, log_posterior),
        "w_prior": kl_to_standard_normal(*w_posterior),
        "c_prior": c_prior_term(log_posterior, free_bits),
    }


def gmvae_losses(network, images, foreground, *, free_bits):
    """Minus the evidence lower bound ("loss") and its terms, means over images in the data's intensities."""
    terms = elbo_terms(network, network.scale(images), foreground, free_bits=free_bits)
    terms = {name: values.mean() for name, values in terms.items()}
    return {"loss": sum(terms.values()), **terms}


def minus_elbo(network, images, foreground, *, free_bits):
    """Minus the evidence lower bound of every image, shape (n,), expectations at the posteriors' means.

    Parameters
    ----------
    network : GMVAE
        In evaluation mode.
    images : Tensor of shape (n, n_contrasts, height, width)
        In [-1, 1].
    foreground : bool Tensor of shape (n, 1, height, width)
    free_bits : float
    """
    return sum(elbo_terms(network, images, foreground, free_bits=free_bits, sample=False).values())
