"""Introspective variational autoencoder: an encoder that judges, a decoder that deceives it (K, II-B.2)."""

import warnings
from functools import partial
from numbers import Integral

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation
from skad.evaluation.collapse import same_divergence
from skad.nn.introspection import introspective_losses
from skad.nn.vae import VAE
from skad.reconstruction.autoencoder import (
    COUNT,
    RATE,
    WEIGHT,
    AutoencoderReconstructor,
    center_decoder,
    one_optimizer,
    plain_loss,
    two_at_least,
)
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training

_FEW = 0.05  # share of reconstructions inside the margin below which there is no game


@describe_training
class IntroVAEReconstructor(AutoencoderReconstructor):
    """Reference: reconstruction by an introspective variational autoencoder, trained against its own encoder.

    The encoder gives images latents near the prior and reconstructions latents away from it, up to a margin;
    the decoder makes reconstructions that the encoder takes for images. They come out sharper than those of
    :class:`VAEReconstructor`.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 256, 512, 512)
        Filters of the encoder's residual blocks, each followed by a halving; the decoder has them backwards
        and half of the first at its end (K). Height and width must be divisible by ``2 ** len(channels)``.
    latent_channels : int, default=128
        Channels of mean and log-variance: 128 x 4 x 4 latents for 256 x 256 pixels (K).
    alpha : float, default=0.5
        Weight of the game (K, eqs. 6-7).
    reconstruction_weight : float, default=0.04
        beta of eqs. (6)-(7), the weight of L_AE (K): larger means closer reconstructions.
    margin : float, default=120.0
        m of eq. (4), nats: how far from the prior the encoder drives reconstructions (K).
    n_warmup_epochs : int, default=0
        The first of the ``max_epochs`` without the game, as a plain VAE. (We)
    sample_prior : bool, default=False
        Let decoded draws from the prior take part in the game beside the reconstructions, as in the original
        IntroVAE; K's equations have reconstructions only.
    ssim_weight : float, default=0.01
        Weight of 1 - SSIM beside the squared error in L_AE. (K, III-C.2, adds the term and gives no weight.
        We: with this one the two terms are alike near a good reconstruction; with 1 the structural term is a
        hundred times as large, and L_REG of images exceeds the margin.)
    value_range : (float, float) or None, default=None
        Lowest and highest intensity, which the networks see as -1 and 1; None learns them for every contrast
        as the 0.1 % and 99.9 % quantiles of the training foreground. What lies beyond is clipped. (We)
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the training slices. "auto": flips (K), rotation up to 10 degrees and scaling up to 10
        % (amounts ours).
    max_epochs : int, default=200
        Passes over the training slices, warm-up included (K).
    batch_size : int, default=120
        Slices per step (K).
    encoder_lr : float, default=1e-4
        Learning rate of the encoder's Adam (K).
    decoder_lr : float, default=5e-3
        Learning rate of the decoder's Adam (K).
    {device}
    {precision}
    {random_state}
    {verbose}
    callbacks : list of skorch callbacks or None, default=None
        Learning-rate schedules, early stopping and the like; copied for each fit. A schedule moves the
        encoder's rate only.
    warm_start : bool, default=False
        Continue from the network of the last fit, without a warm-up.

    Attributes
    ----------
    module_ : VAE
        On the CPU.
    history_ : dict of str to list of float
        Per epoch the mean of "encoder_loss" (eq. 6), "decoder_loss" (eq. 7), "kl_real" (L_REG(z), nats),
        "kl_reconstructed" (L_REG(z'), nats), "share_inside_margin" (of the reconstructions: those with
        L_REG(z') below the margin, for which encoder and decoder compete) and "reconstruction_error" (L_AE);
        "kl_reconstructed" and the share are NaN during the warm-up.
    loss_curve_ : list of float
        ``history_["encoder_loss"]``.
    value_range_ : ndarray of shape (n_contrasts, 2)
        Lowest and highest intensity of each contrast, which the networks see as -1 and 1.
    image_size_ : (int, int)
        Height and width; at score time slices must have them too.
    latent_shape_ : (int, int, int)
        ``(latent_channels, height / 2 ** len(channels), width / 2 ** len(channels))``
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Warns
    -----
    CollapseWarning
        In ``fit``, as :class:`VAEReconstructor`, and when the divergences of images and reconstructions were
        within 1 % of each other in the last 5 epochs.
    UserWarning
        In ``fit``, when in the last third of the epochs fewer than 5 % of the reconstructions were inside the
        margin.

    See Also
    --------
    VAEReconstructor : The same networks without the game.
    LatentSearchTransformer : Latents that reproduce an image better.

    Notes
    -----
    We: both players step at once, from three passes of the encoder and one of the decoder; see
    ``docs/methods/introvae.md`` for this and every other decision.

    References
    ----------
    Kobayashi et al. (K), eqs. (4)-(7), III-C.2. Huang, Li, He, Sun, Tan, "IntroVAE", NeurIPS 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import IntroVAEReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    >>> model = IntroVAEReconstructor(channels=(4, 8), latent_channels=2, max_epochs=1, random_state=0).fit(X)
    >>> model.sample(3, random_state=0).shape, sorted(model.history_)[:2]
    ((3, 1, 8, 12), ['decoder_loss', 'encoder_loss'])
    """

    _parameter_constraints = {
        "channels": ["array-like"],
        "latent_channels": COUNT,
        "alpha": WEIGHT,
        "reconstruction_weight": WEIGHT,
        "margin": WEIGHT,
        "n_warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "sample_prior": ["boolean"],
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
        alpha=0.5,
        reconstruction_weight=0.04,
        margin=120.0,
        n_warmup_epochs=0,
        sample_prior=False,
        ssim_weight=0.01,
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
        self.alpha = alpha
        self.reconstruction_weight = reconstruction_weight
        self.margin = margin
        self.n_warmup_epochs = n_warmup_epochs
        self.sample_prior = sample_prior
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

    _main_loss = "encoder_loss"
    _advice = "raise reconstruction_weight or train longer on diverse slices"

    def _train(self, module, X):
        """The warm-up and the game: two trainings, each with a checkpoint of its own."""
        n_alone = 0 if self.warm_start and hasattr(self, "module_") else self.n_warmup_epochs
        game = Training.of(
            self,
            max_epochs=self.max_epochs - n_alone,
            augmentation=self._views(),
            optimizers=self._two_optimizers,
        )
        histories = [self._warm_up(module, X, n_alone)] if n_alone else []
        histories.append(game.fit(module, X, step=self._play, background=self.background_))
        center_decoder(self, module, X)
        return {name: [value for part in histories for value in part[name]] for name in histories[-1]}

    def _warm_up(self, module, X, n_epochs):
        """A plain VAE's training; the terms of the game are NaN."""
        rates = {"encoder_lr": self.encoder_lr, "decoder_lr": self.decoder_lr}
        training = Training.of(
            self,
            max_epochs=n_epochs,
            augmentation=self._views(),
            optimizers=partial(one_optimizer, **rates),
        )
        loss = partial(plain_loss, reconstruction_weight=self.reconstruction_weight)
        history = training.fit(module, X, loss, background=self.background_)
        error, absent = history["reconstruction_error"], [float("nan")] * n_epochs
        return {
            "encoder_loss": history["loss"],
            "decoder_loss": [self.reconstruction_weight * value for value in error],
            "kl_real": history["kl_real"],
            "kl_reconstructed": absent,
            "share_inside_margin": absent,
            "reconstruction_error": error,
        }

    def _two_optimizers(self, module):
        return {
            "encoder": torch.optim.Adam(module.encoder.parameters(), lr=self.encoder_lr),
            "decoder": torch.optim.Adam(module.decoder.parameters(), lr=self.decoder_lr),
        }

    def _play(self, run, images, foreground):
        """One step of both players, each by the gradient of its own objective."""
        module, optimizers = run.module, run.optimizers
        with run.autocast():
            losses = introspective_losses(
                module,
                *two_at_least(images, foreground),
                alpha=self.alpha,
                beta=self.reconstruction_weight,
                margin=self.margin,
                sample_prior=self.sample_prior,
            )
        for player in optimizers.values():
            player.zero_grad(set_to_none=True)
        losses["encoder_loss"].backward(inputs=list(module.encoder.parameters()), retain_graph=True)
        losses["decoder_loss"].backward(inputs=list(module.decoder.parameters()))
        for player in optimizers.values():
            player.step()
        return losses

    def _network(self, image_size):
        return VAE(
            self.n_contrasts_in_,
            channels=self.channels,
            latent_channels=self.latent_channels,
            ssim_weight=self.ssim_weight,
        )

    def _reasons_of_collapse(self, X):
        self._warn_without_game()
        if self.reconstruction_weight == 0:
            return ["reconstruction_weight=0 ties no reconstruction to its image, take more (0.04)"]
        reasons = super()._reasons_of_collapse(X)
        if same_divergence(self.history_["kl_real"], self.history_["kl_reconstructed"]):
            kl = self.history_["kl_real"][-1]
            reasons.append(
                "the encoder did not tell images from reconstructions in the last epochs (kl_real and "
                f"kl_reconstructed near {kl:.0f} nats), raise margin above that, or raise alpha"
            )
        return reasons

    def _warn_without_game(self):
        """Warn when hardly any reconstruction was inside the margin in the last third of the epochs."""
        shares = self.history_["share_inside_margin"]
        share = np.mean(shares[-max(1, len(shares) // 3) :])
        if self.alpha > 0 and self.margin > 0 and share < _FEW:
            warnings.warn(
                f"Only {share:.1%} of the reconstructions had a divergence below margin={self.margin:g} nats "
                f"in the last epochs (kl_real is {self.history_['kl_real'][-1]:.0f} nats): for the others "
                "encoder and decoder do not compete, and the training is that of a VAE. Raise margin, or "
                "lower ssim_weight or reconstruction_weight.",
                UserWarning,
                stacklevel=3,
            )

    def _check_parameters(self):
        super()._check_parameters()
        if self.n_warmup_epochs >= self.max_epochs:
            raise ValueError(
                f"n_warmup_epochs should be below max_epochs={self.max_epochs}, which it is part of, got "
                f"{self.n_warmup_epochs}."
            )
