"""Variational autoencoder of whole slices: encoder, decoder, and the objective of the two (K, II-B.1)."""

import torch
from torch import nn

from skad.nn.divergence import draw_normal, kl_to_standard_normal
from skad.nn.reconstruction_error import reconstruction_error
from skad.nn.residual_blocks import ResidualBlock, he_convolution, normalized_layer

LOG_VARIANCES = (-10.0, 10.0)  # (we) exp(10) still leaves a finite sum


class Encoder(nn.Module):
    """Images to the mean and log-variance of their latents.

    Parameters
    ----------
    n_contrasts : int
    channels : sequence of int
        Filters of the residual blocks; average pooling halves the image after each.
    latent_channels : int
    """

    def __init__(self, n_contrasts, channels, latent_channels):
        super().__init__()
        self.n_contrasts, self.channels, self.latent_channels = n_contrasts, channels, latent_channels
        widths = [n_contrasts, *channels]
        blocks = ((ResidualBlock(a, b), nn.AvgPool2d(2)) for a, b in zip(widths, channels, strict=False))
        self.body = nn.Sequential(*(part for block in blocks for part in block))
        self.heads = he_convolution(channels[-1], 2 * latent_channels, 1, rectified=False)
        self.to(memory_format=torch.channels_last)  # convolutions run faster so

    def forward(self, images):
        """Posterior of every image.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            In [-1, 1]; height and width divisible by 2 ** len(channels).

        Returns
        -------
        mean, log_variance : Tensors of shape (n, latent_channels, height / 2 ** len(channels), ...), float32
            Log-variances are clamped to [-10, 10].
        """
        features = self.body(images)
        with torch.autocast(images.device.type, enabled=False):
            mean, log_variance = self.heads(features.float()).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)


class Decoder(nn.Module):
    """Latents to images in [-1, 1], the mirror of :class:`Encoder` with one narrower block at its end.

    Parameters
    ----------
    n_contrasts, channels, latent_channels
        Those of the encoder.

    Notes
    -----
    We: upsampling is by nearest neighbor, whose gradient adds in a fixed order on a GPU, and its convolution
    is followed by batch norm and LeakyReLU: without them the learning rate of K saturates the tanh.
    """

    def __init__(self, n_contrasts, channels, latent_channels):
        super().__init__()
        self.n_contrasts, self.channels, self.latent_channels = n_contrasts, channels, latent_channels
        coarse_to_fine = channels[::-1]
        last = max(1, channels[0] // 2)
        parts = []
        for before, width in zip([latent_channels, *coarse_to_fine], coarse_to_fine, strict=False):
            parts += [ResidualBlock(before, width), *_upsampling(width)]
        self.body = nn.Sequential(*parts, ResidualBlock(channels[0], last))
        self.head = he_convolution(last, n_contrasts, 3, rectified=False)
        self.to(memory_format=torch.channels_last)  # as above

    def forward(self, latents):
        """Images (n, n_contrasts, height, width), float32, of latents (n, latent_channels, ...)."""
        features = self.body(latents)
        with torch.autocast(latents.device.type, enabled=False):
            return self.head(features.float()).tanh()


def _upsampling(width):
    return nn.Upsample(scale_factor=2), *normalized_layer(width, width)


class VAE(nn.Module):
    """Encoder and decoder, with the range of intensities that they see as [-1, 1].

    What a latent search needs of any network: ``encode``, ``decode`` and ``error``.

    Parameters
    ----------
    n_contrasts : int
    channels : sequence of int, default=(32, 64, 128, 256, 512, 512)
        Filters of the encoder's blocks; the decoder has them backwards and half of the first at its end.
    latent_channels : int, default=128
    ssim_weight : float, default=1.0
        Weight of 1 - SSIM in L_AE.

    Examples
    --------
    >>> import torch
    >>> network = VAE(1, channels=(4, 8), latent_channels=3).eval()
    >>> images = torch.rand(2, 1, 8, 12)
    >>> network.encode(images).shape, network(images).shape
    (torch.Size([2, 3, 2, 3]), torch.Size([2, 1, 8, 12]))
    """

    def __init__(
        self, n_contrasts, *, channels=(32, 64, 128, 256, 512, 512), latent_channels=128, ssim_weight=1.0
    ):
        super().__init__()
        self.n_contrasts = n_contrasts
        self.channels = tuple(map(int, channels))
        self.latent_channels = latent_channels
        self.ssim_weight = ssim_weight
        self.encoder = Encoder(n_contrasts, self.channels, latent_channels)
        self.decoder = Decoder(n_contrasts, self.channels, latent_channels)
        self.register_buffer("lowest", -torch.ones(n_contrasts, 1, 1))
        self.register_buffer("highest", torch.ones(n_contrasts, 1, 1))

    def set_value_range(self, value_range):
        """Which intensities are -1 and 1.

        Parameters
        ----------
        value_range : array-like of shape (n_contrasts, 2)
            Lowest and highest intensity of each contrast.
        """
        limits = torch.as_tensor(value_range, dtype=torch.float32)
        self.lowest.copy_(limits[:, :1, None])
        self.highest.copy_(limits[:, 1:, None])

    def scale(self, images):
        """Intensities to [-1, 1]; what lies beyond the range is clipped."""
        return (2 * (images - self.lowest) / (self.highest - self.lowest) - 1).clamp(-1, 1)

    def encode(self, images):
        """Latents of every image: the mean of its posterior.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            In the intensities of the data.

        Returns
        -------
        Tensor of shape (n, latent_channels, height / 2 ** len(channels), width / 2 ** len(channels))
        """
        return self.encoder(self.scale(images))[0]

    def decode(self, latents):
        """Images of latents, in the intensities of the data, shape (n, n_contrasts, height, width)."""
        return self.lowest + (self.highest - self.lowest) * (self.decoder(latents) + 1) / 2

    def error(self, latents, images, foreground):
        """L_AE between images and what latents decode to, shape (n,); differentiable in the latents."""
        return reconstruction_error(
            self.scale(images), self.decoder(latents), foreground, ssim_weight=self.ssim_weight
        )

    def forward(self, images):
        """The reconstruction of every image, from the mean of its posterior, in the data's intensities."""
        return self.decode(self.encode(images))


def vae_losses(network, images, foreground, *, reconstruction_weight):
    """Objective of a variational autoencoder: L_REG + reconstruction_weight L_AE (K, eqs. 1-3).

    Parameters
    ----------
    network : VAE
    images : Tensor of shape (n, n_contrasts, height, width)
        In the intensities of the data, background filled.
    foreground : bool Tensor of shape (n, 1, height, width)
    reconstruction_weight : float
        Of L_AE; beta of K's eqs. (6)-(7).

    Returns
    -------
    dict of scalar Tensors, means over the images
        "loss", "kl_real" (L_REG of the images, nats), "reconstruction_error" (L_AE).
    """
    mean, log_variance = network.encoder(network.scale(images))
    kl = kl_to_standard_normal(mean, log_variance).mean()
    error = network.error(draw_normal(mean, log_variance), images, foreground).mean()
    return {"loss": kl + reconstruction_weight * error, "kl_real": kl, "reconstruction_error": error}
