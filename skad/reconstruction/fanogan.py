"""f-AnoGAN: a Wasserstein GAN of normal slices, and an encoder trained afterwards to invert its generator."""

import torch

from skad.augmentation import Augmentation
from skad.nn.fanogan import FAnoGAN, izi_f_losses
from skad.nn.latent_search import frozen
from skad.nn.wasserstein import critic_losses, generator_loss
from skad.reconstruction.autoencoder import COUNT, WEIGHT, AutoencoderReconstructor, two_at_least
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training


@describe_training
class FAnoGANReconstructor(AutoencoderReconstructor):
    """Normal reference: the image that a generator of normal slices makes of an image's encoded latents.

    First generator and critic play the Wasserstein game with gradient penalty. Then, with both fixed, the
    encoder learns latents from which the generator gives back the image and the critic's features of it.

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256, 512, 512)
        Filters of critic and encoder, each block followed by a halving; the generator has them backwards.
        (We: one halving more than the authors, whose images have 64 x 64 pixels.)
    n_latents : int, default=128
        Length of the latent vector, standard normal.
    n_critic : int, default=5
        Steps of the critic, each on a batch of its own, per step of the generator.
    penalty_weight : float, default=10.0
        Weight of the gradient penalty.
    kappa : float, default=1.0
        Weight of the features' residual in the encoder's loss.
    value_range : (float, float) or None, default=None
        Lowest and highest intensity, which the networks see as -1 and 1; None learns them for every contrast
        as the 0.1 % and 99.9 % quantiles of the training foreground. What lies beyond is clipped. (We)
    augmentation : Augmentation or None, default=None
        Random views of the training slices.
    max_epochs : int, default=200
        Of the game, and again of the encoder. (We)
    batch_size : int, default=64
        Slices per step.
    lr : float, default=1e-4
        Learning rate of generator and critic: Adam with betas 0 and 0.9.
    encoder_lr : float, default=5e-5
        Learning rate of the encoder: RMSprop.
    {device}
    {precision}
    {random_state}
    {verbose}
    callbacks : list of skorch callbacks or None, default=None
        Learning-rate schedules, early stopping and the like; copied for each of the two trainings. In the
        game a schedule moves the critic's rate only.
    {warm_start}

    Attributes
    ----------
    module_ : FAnoGAN
        On the CPU.
    history_ : dict of str to list of float
        Per epoch the mean, in the game, of "critic_loss", "wasserstein_distance", "gradient_penalty" and
        "generator_loss"; in the training of the encoder, of "encoder_loss" (izi_f), "image_residual" and
        "feature_residual".
    loss_curve_ : list of float
        ``history_["encoder_loss"]``.
    latent_shape_ : (int, int, int)
        ``(n_latents, 1, 1)``
    value_range_ : ndarray of shape (n_contrasts, 2)
        Lowest and highest intensity of each contrast, which the networks see as -1 and 1.
    image_size_ : (int, int)
        Height and width; at score time slices must have them too.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Warns
    -----
    CollapseWarning
        In ``fit``, when after 5 or more epochs references hardly differ between slices.

    See Also
    --------
    VAEReconstructor : Encoder and decoder trained together.
    LatentSearchTransformer : AnoGAN's search, beginning at the encoded latents.

    Notes
    -----
    We: critic and generator see whole slices, background filled: where a head ends is part of what is normal.
    The residuals of the encoder's loss see the foreground only. "generator_loss" is of the images that
    the critic learns from, so every batch has one.

    References
    ----------
    Schlegl, Seeboeck, Waldstein, Langs, Schmidt-Erfurth, "f-AnoGAN", Medical Image Analysis 54 (2019).
    Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import FAnoGANReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    >>> gan = FAnoGANReconstructor(channels=(4, 8), n_latents=3, max_epochs=1, random_state=0).fit(X)
    >>> gan.encode(X).shape, gan.transform(X).shape
    ((4, 3, 1, 1), (4, 2, 1, 8, 12))
    """

    _parameter_constraints = {
        "channels": ["array-like"],
        "n_latents": COUNT,
        "n_critic": COUNT,
        "penalty_weight": WEIGHT,
        "kappa": WEIGHT,
        "value_range": ["array-like", None],
        "augmentation": [Augmentation, None],
        "encoder_lr": TRAINING_CONSTRAINTS["lr"],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        channels=(64, 128, 256, 512, 512),
        n_latents=128,
        n_critic=5,
        penalty_weight=10.0,
        kappa=1.0,
        value_range=None,
        augmentation=None,
        max_epochs=200,
        batch_size=64,
        lr=1e-4,
        encoder_lr=5e-5,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.channels = channels
        self.n_latents = n_latents
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.kappa = kappa
        self.value_range = value_range
        self.augmentation = augmentation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.encoder_lr = encoder_lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    _main_loss = "encoder_loss"
    _advice = "train longer or on more diverse slices"

    def _train(self, module, X):
        """The game and the encoder: two trainings, each with a checkpoint of its own."""
        game = Training.of(self, optimizers=self._players)
        game = game.fit(module, X, step=self._play, background=self.background_)
        encoder = Training.of(self, optimizers=self._encoder_rmsprop)
        encoder = encoder.fit(module, X, self._encoder_loss, background=self.background_)
        encoder["encoder_loss"] = encoder.pop("loss")
        return game | encoder

    def _players(self, module):
        return {
            name: torch.optim.Adam(player.parameters(), lr=self.lr, betas=(0.0, 0.9))
            for name, player in {"critic": module.critic, "generator": module.decoder}.items()
        }

    def _encoder_rmsprop(self, module):
        return {"encoder": torch.optim.RMSprop(module.encoder.parameters(), lr=self.encoder_lr)}

    def _play(self, run, images, foreground):
        """One step of the critic; of the generator too when it is its turn."""
        module, optimizers = run.module, run.optimizers
        images, _ = two_at_least(images, foreground)
        with run.autocast():
            with torch.no_grad():
                generated = module.generate(len(images))
            losses = critic_losses(
                module.critic, module.scale(images), generated, penalty_weight=self.penalty_weight
            )
        _step(optimizers["critic"], losses["critic_loss"], module.critic)
        if (run.n_steps + 1) % self.n_critic == 0:
            with run.autocast():
                loss = generator_loss(module.critic, module.generate(len(images)))
            _step(optimizers["generator"], loss, module.decoder)
        return losses

    def _encoder_loss(self, module, images, foreground):
        images, foreground = two_at_least(images, foreground)
        module.decoder.eval()
        module.critic.eval()
        images = module.scale(images)
        with frozen(module.decoder), frozen(module.critic):
            reconstructions = module.decoder(module.encoder(images))
            return izi_f_losses(module.critic, images, reconstructions, foreground, kappa=self.kappa)

    def _network(self, image_size):
        return FAnoGAN(
            self.n_contrasts_in_,
            channels=self.channels,
            latent_channels=self.n_latents,
            image_size=image_size,
        )

    def _shape_of_latents(self, module):
        return self.n_latents, 1, 1


def _step(optimizer, loss, player):
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=list(player.parameters()))
    optimizer.step()
