"""Introspective variational autoencoder: an encoder that judges, a decoder that deceives it (K, II-B.2)."""

from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval

from skad.nn.introspection import introspective_losses
from skad.reconstruction.collapse import same_divergence
from skad.reconstruction.vae import VAEReconstructor, two_at_least
from skad.training import Training


class IntroVAEReconstructor(VAEReconstructor):
    """Normal reference from a variational autoencoder whose decoder learns to please its encoder.

    The encoder gives images latents near the prior and reconstructions latents away from it, up to a margin;
    the decoder makes reconstructions that the encoder takes for images. They come out sharper than those of
    :class:`VAEReconstructor`.

    Parameters
    ----------
    channels, latent_channels
        As of :class:`VAEReconstructor`.
    alpha : float, default=0.5
        Weight of the game (K, eqs. 6-7).
    beta : float, default=0.04
        Weight of L_AE (K, eqs. 6-7).
    margin : float, default=120.0
        m of eq. (4), nats: how far from the prior the encoder drives reconstructions (K).
    n_warmup_epochs : int, default=0
        The first of the ``max_epochs`` without the game, as a plain VAE. (We)
    sample_prior : bool, default=False
        Let decoded draws from the prior take part in the game beside the reconstructions, as in the original
        IntroVAE; K's equations have reconstructions only.
    ssim_weight, value_range, augmentation
        As of :class:`VAEReconstructor`.
    max_epochs : int, default=200
        (K)
    batch_size : int, default=120
        (K)
    encoder_lr, decoder_lr : float, default=1e-4, 5e-3
        Learning rates of the two players' Adam (K).
    device, precision, random_state, verbose, warm_start
        As in :class:`skad.reconstruction.ContrastTranslator`; a warm start skips the warm-up.
    callbacks : list of skorch callbacks or None, default=None
        A schedule of learning rates moves the encoder's only.

    Attributes
    ----------
    module_ : VAE
        On the CPU.
    history_ : dict of str to list of float
        Per epoch the mean of "encoder_loss" (eq. 6), "decoder_loss" (eq. 7), "kl_real" (L_REG(z), nats),
        "kl_reconstructed" (L_REG(z'), nats; NaN during the warm-up) and "reconstruction_error" (L_AE).
    loss_curve_ : list of float
        ``history_["encoder_loss"]``.
    value_range_, image_size_, latent_shape_, background_, n_contrasts_in_
        As of :class:`VAEReconstructor`.

    Warns
    -----
    CollapseWarning
        In ``fit``, as :class:`VAEReconstructor`, and when the divergences of images and reconstructions were
        within 1 % of each other in the last 5 epochs.

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
        **VAEReconstructor._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "margin": [Interval(Real, 0, None, closed="left")],
        "n_warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "sample_prior": ["boolean"],
    }

    def __init__(
        self,
        *,
        channels=(32, 64, 128, 256, 512, 512),
        latent_channels=128,
        alpha=0.5,
        beta=0.04,
        margin=120.0,
        n_warmup_epochs=0,
        sample_prior=False,
        ssim_weight=1.0,
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
        super().__init__(
            channels=channels,
            latent_channels=latent_channels,
            beta=beta,
            ssim_weight=ssim_weight,
            value_range=value_range,
            augmentation=augmentation,
            max_epochs=max_epochs,
            batch_size=batch_size,
            encoder_lr=encoder_lr,
            decoder_lr=decoder_lr,
            device=device,
            precision=precision,
            random_state=random_state,
            verbose=verbose,
            callbacks=callbacks,
            warm_start=warm_start,
        )
        self.alpha = alpha
        self.margin = margin
        self.n_warmup_epochs = n_warmup_epochs
        self.sample_prior = sample_prior

    _main_loss = "encoder_loss"

    def _train(self, module, X):
        """The warm-up and the game: two trainings, each with a checkpoint of its own."""
        n_alone = 0 if self.warm_start and hasattr(self, "module_") else self.n_warmup_epochs
        histories = [self._warm_up(module, X, n_alone)] if n_alone else []
        histories.append(self._play_for(module, X, self.max_epochs - n_alone))
        return {name: [value for part in histories for value in part[name]] for name in histories[-1]}

    def _warm_up(self, module, X, n_epochs):
        history = self._train_alone(module, X, max_epochs=n_epochs)
        history["encoder_loss"] = history.pop("loss")
        history["decoder_loss"] = [self.beta * error for error in history["reconstruction_error"]]
        history["kl_reconstructed"] = [float("nan")] * len(history["kl_real"])
        return history

    def _play_for(self, module, X, n_epochs):
        training = Training.of(
            self, max_epochs=n_epochs, augmentation=self._augment(), optimizers=self._two_optimizers
        )
        return training.fit(module, X, step=self._play, background=self.background_)

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
                beta=self.beta,
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

    def _reasons_of_collapse(self, X):
        reasons = super()._reasons_of_collapse(X)
        if same_divergence(self.history_["kl_real"], self.history_["kl_reconstructed"]):
            kl = self.history_["kl_real"][-1]
            reasons.append(
                "the encoder did not tell images from reconstructions in the last epochs (kl_real and "
                f"kl_reconstructed near {kl:.0f} nats), raise margin above that, or raise alpha"
            )
        return reasons

    def _check_parameters(self):
        super()._check_parameters()
        if self.n_warmup_epochs >= self.max_epochs:
            raise ValueError(
                f"n_warmup_epochs should be below max_epochs={self.max_epochs}, which it is part of, got "
                f"{self.n_warmup_epochs}."
            )
