"""f-AnoGAN: generator, critic, the encoder that inverts the generator, and the loss of the encoder."""

import math

import torch
from torch import nn

from skad.nn.reconstruction_error import PAPER_PIXELS, reconstruction_error
from skad.nn.residual_blocks import SLOPE, he_convolution
from skad.nn.vae import VAE, Decoder, Encoder


class Generator(nn.Module):
    """A vector of latents to images in [-1, 1]: one linear layer to a map, then the decoder of a VAE.

    Parameters
    ----------
    n_contrasts : int
    channels : sequence of int
        Fine to coarse, as of :class:`skad.nn.vae.VAE`.
    n_latents : int
    map_size : (int, int)
        Height and width of the coarsest map.
    """

    def __init__(self, n_contrasts, channels, n_latents, map_size):
        super().__init__()
        self.map_shape = (channels[-1], *map_size)
        self.project = nn.Linear(n_latents, math.prod(self.map_shape))
        self.decoder = Decoder(n_contrasts, channels, channels[-1])

    def forward(self, latents):
        """Images (n, n_contrasts, height, width), float32, of latents (n, n_latents, 1, 1)."""
        return self.decoder(self.project(latents.flatten(1)).unflatten(1, self.map_shape))


class VectorEncoder(nn.Module):
    """Images in [-1, 1] to a vector of latents: the body of a VAE's encoder and one linear layer.

    Parameters
    ----------
    n_contrasts, channels, n_latents, map_size
        Those of the generator.
    """

    def __init__(self, n_contrasts, channels, n_latents, map_size):
        super().__init__()
        self.body = Encoder(n_contrasts, channels, 1).body
        self.project = nn.Linear(channels[-1] * math.prod(map_size), n_latents)

    def forward(self, images):
        """Latents (n, n_latents, 1, 1), float32."""
        features = self.body(images)
        with torch.autocast(images.device.type, enabled=False):
            return self.project(features.float().flatten(1))[:, :, None, None]


class CriticBlock(nn.Module):
    """Two [3x3 convolution, layer norm, LeakyReLU] beside a skipping 1x1 convolution.

    Layer norm knows one image only, as the gradient penalty needs it.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Channels.
    """

    def __init__(self, n_inputs, n_outputs):
        super().__init__()
        self.body = nn.Sequential(*_layer(n_inputs, n_outputs), *_layer(n_outputs, n_outputs))
        self.skip = he_convolution(n_inputs, n_outputs, 1, rectified=False)

    def forward(self, features):
        """Features (n, n_inputs, height, width) to (n, n_outputs, height, width)."""
        return self.skip(features) + self.body(features)


def _layer(n_inputs, n_outputs):
    convolution = he_convolution(n_inputs, n_outputs, 3, rectified=True, bias=False)
    return convolution, nn.GroupNorm(1, n_outputs), nn.LeakyReLU(SLOPE)


class Critic(nn.Module):
    """Images in [-1, 1] to one score each, high for what looks real.

    Parameters
    ----------
    n_contrasts, channels, map_size
        Those of the generator.
    """

    def __init__(self, n_contrasts, channels, map_size):
        super().__init__()
        pairs = zip([n_contrasts, *channels], channels, strict=False)
        blocks = ((CriticBlock(a, b), nn.AvgPool2d(2)) for a, b in pairs)
        self.body = nn.Sequential(*(part for block in blocks for part in block))
        self.head = nn.Linear(channels[-1] * math.prod(map_size), 1)

    def features(self, images):
        """What the score is computed from, f of the paper, shape (n, n_features)."""
        return self.body(images).flatten(1)

    def forward(self, images):
        """Scores of shape (n,)."""
        return self.head(self.features(images)).squeeze(1)


class FAnoGAN(VAE):
    """Generator, critic and encoder, with the range of intensities that they see as [-1, 1].

    A VAE's frame whose halves are a generator (``decoder``) and an encoder without spread.

    Parameters
    ----------
    n_contrasts : int
    channels : sequence of int
        Filters of critic and encoder; the generator has them backwards and half of the first at its end.
    latent_channels : int
        Length of the latent vector.
    image_size : (int, int)
        Height and width, divisible by 2 ** len(channels).

    Examples
    --------
    >>> import torch
    >>> network = FAnoGAN(1, channels=(4, 8), latent_channels=3, image_size=(8, 12)).eval()
    >>> images = torch.rand(2, 1, 8, 12)
    >>> network.encode(images).shape, network(images).shape, network.critic(images).shape
    (torch.Size([2, 3, 1, 1]), torch.Size([2, 1, 8, 12]), torch.Size([2]))
    """

    def __init__(self, n_contrasts, *, channels, latent_channels, image_size):
        super().__init__(n_contrasts, channels=channels, latent_channels=latent_channels)
        self.image_size = image_size
        map_size = tuple(side >> len(self.channels) for side in image_size)
        self.encoder = VectorEncoder(n_contrasts, self.channels, latent_channels, map_size)
        self.decoder = Generator(n_contrasts, self.channels, latent_channels, map_size)
        self.critic = Critic(n_contrasts, self.channels, map_size)

    def encode(self, images):
        """Latents (n, latent_channels, 1, 1) of images in the intensities of the data."""
        return self.encoder(self.scale(images))

    def generate(self, n):
        """Images in [-1, 1] of ``n`` draws from the standard normal prior."""
        return self.decoder(torch.randn(n, self.latent_channels, 1, 1, device=self.lowest.device))


def izi_f_losses(critic, images, reconstructions, foreground, *, kappa):
    """Objective of the encoder (izi_f): residual of the image plus that of the critic's features.

    Parameters
    ----------
    critic : Critic
    images, reconstructions : Tensors of shape (n, n_contrasts, height, width)
        In [-1, 1]; x and G(E(x)).
    foreground : bool Tensor of shape (n, 1, height, width)
    kappa : float

    Returns
    -------
    dict of scalar Tensors, means over the images
        "loss", "image_residual" (mean square over foreground and contrasts), "feature_residual" (mean square
        over the features f).

    Notes
    -----
    We: outside the foreground the critic sees the background of the image in both.

    References
    ----------
    Schlegl et al. 2019, eq. (3).
    """
    image_residual = (
        reconstruction_error(images, reconstructions, foreground, ssim_weight=0.0).mean() / PAPER_PIXELS
    )
    features = critic.features(images), critic.features(torch.where(foreground, reconstructions, images))
    feature_residual = (features[0].float() - features[1].float()).square().mean()
    return {
        "loss": image_residual + kappa * feature_residual,
        "image_residual": image_residual,
        "feature_residual": feature_residual,
    }
