"""Variational autoencoder of whole slices: global features of normal anatomy (K, II-B.1)."""

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry
from skad.nn.vae import VAE, vae_losses
from skad.reconstruction.collapse import EPOCHS, constant_output, warn_of_collapse
from skad.reconstruction.latent_space import LatentReconstructorMixin
from skad.training import TRAINING_CONSTRAINTS, Training, seeded, start_module
from skad.utils.typing import Array

_RATE = [Interval(Real, 0, None, closed="neither")]
_WEIGHT = [Interval(Real, 0, None, closed="left")]
_TAILS = (0.001, 0.999)  # quantiles of the foreground that become -1 and 1
_RANGE_SLICES = 256  # slices whose intensities decide the range

PAPER_AUGMENTATION = Augmentation(Geometry(rotation=10.0, scaling=0.1))


class VAEReconstructor(LatentReconstructorMixin, BaseEstimator):
    """Normal reference: what a variational autoencoder that has seen normal slices makes of an image.

    Parameters
    ----------
    channels : sequence of int, default=(32, 64, 128, 256, 512, 512)
        Filters of the encoder's residual blocks, each followed by a halving; the decoder has them backwards
        and half of the first at its end (K). Height and width must be divisible by ``2 ** len(channels)``.
    latent_channels : int, default=128
        Channels of mean and log-variance: 128 x 4 x 4 latents for 256 x 256 pixels (K).
    beta : float, default=0.04
        Weight of L_AE against the divergence in nats. (We: that of eqs. (6)-(7), so that VAE and IntroVAE
        differ by the game only; K gives none for the VAE.)
    ssim_weight : float, default=1.0
        Weight of 1 - SSIM beside the squared error in L_AE.
    value_range : (float, float) or None, default=None
        Lowest and highest intensity, which the networks see as -1 and 1; None learns them for every contrast
        as the 0.1 % and 99.9 % quantiles of the training foreground. What lies beyond is clipped. (We; K
        renormalises every image to [-1, 1], so for images prepared that way pass (-1, 1).)
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the training slices. "auto": flips (K), rotation up to 10 degrees and scaling up to 10
        % (amounts ours).
    max_epochs : int, default=200
        (K)
    batch_size : int, default=120
        (K)
    encoder_lr, decoder_lr : float, default=1e-4, 5e-3
        Learning rates of Adam (K).
    device, precision, random_state, verbose, callbacks, warm_start
        As in :class:`skad.reconstruction.ContrastTranslator`.

    Attributes
    ----------
    module_ : VAE
        On the CPU.
    value_range_ : ndarray of shape (n_contrasts, 2)
    image_size_ : (int, int)
        Height and width; at score time slices must have them too.
    latent_shape_ : (int, int, int)
        ``(latent_channels, height / 2 ** len(channels), width / 2 ** len(channels))``
    history_ : dict of str to list of float
        Per epoch the mean of "loss", "kl_real" (L_REG, nats) and "reconstruction_error" (L_AE).
    loss_curve_ : list of float
        ``history_["loss"]``.
    background_, n_contrasts_in_

    Warns
    -----
    CollapseWarning
        In ``fit``, when ``beta=0``, or when after 5 or more epochs the reconstructions hardly differ between
        slices.

    Notes
    -----
    We: squared error and 1 - SSIM are means over the foreground times 256 x 256, the divergence
    is a sum over the latents, and log-variances are clamped to [-10, 10]; see ``docs/methods/introvae.md``.
    References at score time are decoded from the mean of the posterior.

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
        "latent_channels": [Interval(Integral, 1, None, closed="left")],
        "beta": _WEIGHT,
        "ssim_weight": _WEIGHT,
        "value_range": ["array-like", None],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "encoder_lr": _RATE,
        "decoder_lr": _RATE,
        **{name: domain for name, domain in TRAINING_CONSTRAINTS.items() if name != "lr"},
    }

    def __init__(
        self,
        *,
        channels=(32, 64, 128, 256, 512, 512),
        latent_channels=128,
        beta=0.04,
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
        self.channels = channels
        self.latent_channels = latent_channels
        self.beta = beta
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn to encode and decode normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background; height and width divisible by ``2 ** len(channels)``.
        y : ignored

        Returns
        -------
        self
        """
        self._check_parameters()
        X = self._check_fit_input(X)
        with seeded(self.random_state):
            network = self._network(X.shape[-2:])
            network.set_value_range(self._range_of_values(X))
            module = start_module(self, network)
            self.history_ = self._train(module, X)
        self.value_range_ = torch.cat([module.lowest, module.highest], dim=1).squeeze(2).numpy()
        self.image_size_ = X.shape[-2:]
        halvings = len(module.channels)
        self.latent_shape_ = (module.latent_channels, *(side >> halvings for side in X.shape[-2:]))
        self.loss_curve_ = self.history_[self._main_loss]
        self.module_ = module
        warn_of_collapse(self, self._reasons_of_collapse(X))
        return self

    _main_loss = "loss"

    def _train(self, module, X):
        return self._train_alone(module, X)

    def _train_alone(self, module, X, **changes):
        """Plain VAE: one player, whose two halves have rates of their own."""
        training = Training.of(self, augmentation=self._augment(), optimizers=self._one_optimizer, **changes)
        return training.fit(module, X, self._loss, background=self.background_)

    def _loss(self, network, images, foreground):
        return vae_losses(network, *two_at_least(images, foreground), beta=self.beta)

    def _one_optimizer(self, module):
        encoder = {"params": module.encoder.parameters(), "lr": self.encoder_lr}
        decoder = {"params": module.decoder.parameters(), "lr": self.decoder_lr}
        return {"adam": torch.optim.Adam([encoder, decoder])}

    def _augment(self):
        return PAPER_AUGMENTATION if isinstance(self.augmentation, str) else self.augmentation

    def _range_of_values(self, X):
        return _range_of(X) if self.value_range is None else [self.value_range] * X.shape[1]

    def _network(self, image_size):
        return VAE(
            self.n_contrasts_in_,
            channels=self.channels,
            latent_channels=self.latent_channels,
            ssim_weight=self.ssim_weight,
        )

    def _reasons_of_collapse(self, X):
        if self.beta == 0:
            return ["beta=0 ties no reconstruction to its image, take beta above 0 (0.04)"]
        if len(self.loss_curve_) >= EPOCHS and constant_output(self._reconstruct, X):
            return ["the output hardly differs between slices, raise beta or train longer on diverse slices"]
        return []

    def _check_parameters(self):
        channels = list(self.channels)
        if not channels or not all(isinstance(width, Integral) and width > 0 for width in channels):
            raise ValueError(f"channels should be one or more positive integers, got {self.channels!r}.")
        if self.value_range is not None:
            limits = list(self.value_range)
            if len(limits) != 2 or not limits[0] < limits[1]:
                raise ValueError(f"value_range should be (lowest, highest), got {self.value_range!r}.")

    def _halvings(self):
        return len(self.channels)


def two_at_least(images, foreground):
    """A lone image twice: batch norm needs two values per channel, 1 x 1 latents of one image have one."""
    if len(images) > 1:
        return images, foreground
    return images.repeat(2, 1, 1, 1), foreground.repeat(2, 1, 1, 1)


def _range_of(X):
    """Quantiles of every contrast over the foreground of evenly spread slices, shape (n_contrasts, 2)."""
    visible = np.flatnonzero([not np.isnan(x).all() for x in X])
    sample = np.array(X[visible[:: -(-len(visible) // _RANGE_SLICES)]], dtype=np.float32)
    limits = [np.nanquantile(sample[:, contrast], _TAILS) for contrast in range(X.shape[1])]
    return [(low, high if high > low else low + 1) for low, high in limits]
