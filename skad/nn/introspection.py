"""The game of the introspective variational autoencoder: encoder against decoder (K, II-B.2)."""

import contextlib

import torch
from torch import nn

from skad.nn.divergence import draw_normal, kl_to_standard_normal, standard_normal_like
from skad.nn.reconstruction_error import reconstruction_error


def encoder_objective(kl_real, kl_generated, error, *, alpha, beta, margin):
    """L_REG(z) + alpha [m - L_REG(z')]+ + beta L_AE of every image (K, eqs. 4 and 6).

    Parameters
    ----------
    kl_real : Tensor of shape (n,)
        L_REG(z): divergence of the images' latents from the prior, nats.
    kl_generated : Tensor of shape (n_generated, n)
        L_REG(z') of one or more generated images per image; their terms add up.
    error : Tensor of shape (n,)
        L_AE.
    alpha, beta, margin : float
        Weights, and m in nats.

    Returns
    -------
    Tensor of shape (n,)
    """
    shortfall = (margin - kl_generated).clamp(min=0).sum(0)
    return kl_real + alpha * shortfall + beta * error


def decoder_objective(kl_generated, error, *, alpha, beta):
    """alpha L_REG(z') + beta L_AE of every image (K, eqs. 5, 7); shapes as in :func:`encoder_objective`."""
    return alpha * kl_generated.sum(0) + beta * error


def introspective_losses(network, images, foreground, *, alpha, beta, margin, sample_prior=False):
    """Objectives of both players from three passes of the encoder and one of the decoder.

    Parameters
    ----------
    network : VAE
        In training mode.
    images : Tensor of shape (n, n_contrasts, height, width)
        In the intensities of the data, background filled.
    foreground : bool Tensor of shape (n, 1, height, width)
    alpha, beta, margin : float
    sample_prior : bool, default=False
        Let decoded draws from the prior take part beside the reconstructions (one more pass of the decoder).

    Returns
    -------
    dict of scalar Tensors, means over the images
        "encoder_loss" (eq. 6), "decoder_loss" (eq. 7), "kl_real" (L_REG(z)), "kl_reconstructed" (L_REG(z') of
        the reconstructions), "share_inside_margin" (of the reconstructions: those whose L_REG(z') is below
        the margin), "reconstruction_error" (L_AE). Differentiate the first by the encoder's weights
        only, the second by the decoder's only.

    Notes
    -----
    We: outside the foreground, generated images show the background of the image at their place in the batch,
    so that the encoder cannot tell them by what no loss controls. Running statistics of batch norm are
    those of
    images (encoder) and of their latents (decoder), which is what they serve for; generated images and draws
    from the prior use the statistics of their batch and leave no trace.
    """
    x = network.scale(images)
    mean, log_variance = network.encoder(x)
    reconstructed = network.decoder(draw_normal(mean, log_variance))
    generated = [reconstructed]
    with _no_running_statistics(network):
        if sample_prior:
            generated.append(network.decoder(standard_normal_like(mean)))
        generated = torch.cat([torch.where(foreground, each, x) for each in generated])
        kl_of_encoder = kl_to_standard_normal(*network.encoder(generated.detach())).view(-1, len(x))
        kl_of_decoder = kl_to_standard_normal(*network.encoder(generated)).view(-1, len(x))
    kl_real = kl_to_standard_normal(mean, log_variance)
    error = reconstruction_error(x, reconstructed, foreground, ssim_weight=network.ssim_weight)
    weights = {"alpha": alpha, "beta": beta}
    return {
        "encoder_loss": encoder_objective(kl_real, kl_of_encoder, error, margin=margin, **weights).mean(),
        "decoder_loss": decoder_objective(kl_of_decoder, error, **weights).mean(),
        "kl_real": kl_real.mean(),
        "kl_reconstructed": kl_of_decoder[0].mean(),
        "share_inside_margin": (kl_of_encoder[0] < margin).float().mean(),
        "reconstruction_error": error.mean(),
    }


@contextlib.contextmanager
def _no_running_statistics(network):
    """Batch norm with the statistics of the batch, of which nothing is kept."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    try:
        for norm in norms:
            norm.track_running_stats = False
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
