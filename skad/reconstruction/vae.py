"""Variational autoencoder of whole slices: global features of normal anatomy (K, II-B.1)."""

from functools import partial

from sklearn.utils._param_validation import StrOptions

from skad.augmentation import Augmentation
from skad.nn.vae import VAE
from skad.reconstruction.autoencoder import (
    COUNT,
    RATE,
    WEIGHT,
    AutoencoderReconstructor,
    center_decoder,
    one_optimizer,
    plain_loss,
)
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training


@describe_training
class VAEReconstructor(AutoencoderReconstructor):
    """Reference: reconstruction by a variational autoencoder of normal slices.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 256, 512, 512)
        Filters of the encoder's residual blocks, each followed by a halving; the decoder has them backwards
        and half of the first at its end (K). Height and width must be divisible by ``2 ** len(channels)``.
    latent_channels : int, default=128
        Channels of mean and log-variance: 128 x 4 x 4 latents for 256 x 256 pixels (K).
    reconstruction_weight : float, default=0.04
        Weight of L_AE against the divergence in nats. (We: beta of K's eqs. (6)-(7), which weights the same
        term; K gives none for the VAE.) A larger weight means closer reconstructions, the opposite of the
        beta of a beta-VAE.
    ssim_weight : float, default=0.0
        Weight of 1 - SSIM beside the squared error in L_AE; K's VAE has the squared error alone.
    value_range : (float, float) or None, default=None
        Lowest and highest intensity, which the networks see as -1 and 1; None learns them for every contrast
        as the 0.1 % and 99.9 % quantiles of the training foreground. What lies beyond is clipped. (We; K
        renormalizes every image to [-1, 1], so for images prepared that way pass (-1, 1).)
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the training slices. "auto": flips (K), rotation up to 10 degrees and scaling up to 10
        % (amounts ours).
    max_epochs : int, default=200
        Passes over the training slices (K).
    batch_size : int, default=120
        Slices per step (K).
    encoder_lr : float, default=1e-4
        Learning rate of Adam for the encoder (K).
    decoder_lr : float, default=5e-3
        Learning rate of Adam for the decoder (K).
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : VAE
        On the CPU.
    value_range_ : ndarray of shape (n_contrasts, 2)
        Lowest and highest intensity of each contrast, which the networks see as -1 and 1.
    image_size_ : (int, int)
        Height and width; at score time slices must have them too.
    latent_shape_ : (int, int, int)
        ``(latent_channels, height / 2 ** len(channels), width / 2 ** len(channels))``
    history_ : dict of str to list of float
        Per epoch the mean of "loss", "kl_real" (L_REG, nats) and "reconstruction_error" (L_AE).
    loss_curve_ : list of float
        ``history_["loss"]``.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Warns
    -----
    CollapseWarning
        In ``fit``, when ``reconstruction_weight=0``, or when after 5 or more epochs the reconstructions
        hardly differ between slices.

    See Also
    --------
    IntroVAEReconstructor : The same networks in an adversarial game.
    LatentSearchTransformer : Latents that reproduce an image better.

    Notes
    -----
    We: squared error and 1 - SSIM are means over the foreground times 256 x 256, the divergence
    is a sum over the latents, and log-variances are clamped to [-10, 10]; see ``docs/methods/introvae.md``.
    References at score time are decoded from the mean of the posterior, and one more pass over the training
    slices gives the decoder's batch norm the means of what it then decodes.

    References
    ----------
    Kobayashi et al. (K), eqs. (1)-(3), III-C.1. Kingma, Welling, ICLR 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import VAEReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    >>> vae = VAEReconstructor(channels=(4, 8), latent_channels=2, max_epochs=1, random_state=0).fit(X)
    >>> vae.encode(X).shape, vae.transform(X).shape
    ((4, 2, 2, 3), (4, 2, 1, 8, 12))
    """

    _parameter_constraints = {
        "channels": ["array-like"],
        "latent_channels": COUNT,
        "reconstruction_weight": WEIGHT,
        "ssim_weight": WEIGHT,
        "value_range": ["array-like", None],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "encoder_lr": RATE,
        "decoder_lr": RATE,
        **{name: domain for name, domain in TRAINING_CONSTRAINTS.items() if name != "lr"},
    }

    def __init__(
        self,
        *,
        channels=(32, 64, 128, 256, 512, 512),
        latent_channels=128,
        reconstruction_weight=0.04,
        ssim_weight=0.0,
        value_range=None,
        augmentation="auto",
        max_epochs=200,
        batch_size=120,
        encoder_lr=1e-4,
        decoder_lr=5e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.channels = channels
        self.latent_channels = latent_channels
        self.reconstruction_weight = reconstruction_weight
        self.ssim_weight = ssim_weight
        self.value_range = value_range
        self.augmentation = augmentation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.encoder_lr = encoder_lr
        self.decoder_lr = decoder_lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    _advice = "raise reconstruction_weight or train longer on diverse slices"

    def _train(self, module, X):
        rates = {"encoder_lr": self.encoder_lr, "decoder_lr": self.decoder_lr}
        training = Training.of(self, augmentation=self._views(), optimizers=partial(one_optimizer, **rates))
        loss = partial(plain_loss, reconstruction_weight=self.reconstruction_weight)
        history = training.fit(module, X, loss, background=self.background_)
        center_decoder(self, module, X)
        return history

    def _network(self, image_size):
        return VAE(
            self.n_contrasts_in_,
            channels=self.channels,
            latent_channels=self.latent_channels,
            ssim_weight=self.ssim_weight,
        )

    def _reasons_of_collapse(self, X):
        if self.reconstruction_weight == 0:
            return ["reconstruction_weight=0 ties no reconstruction to its image, take more (0.04)"]
        return super()._reasons_of_collapse(X)
