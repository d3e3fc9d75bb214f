"""Gaussian mixture variational autoencoder, whose references are restored images (You et al. 2019)."""

from numbers import Integral

from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skad.augmentation import Augmentation
from skad.nn.gmvae import GMVAE, gmvae_losses, minus_elbo
from skad.nn.latent_search import frozen
from skad.nn.restoration import restore
from skad.reconstruction.autoencoder import COUNT, RATE, WEIGHT, AutoencoderReconstructor, two_at_least
from skad.training import (
    TRAINING_CONSTRAINTS,
    Training,
    describe_training,
    map_slices,
    resolve_device,
    seeded,
)
from skad.utils.out_of_core import map_chunks
from skad.utils.typing import Array, FloatArray, RandomState


@describe_training
class GMVAEReconstructor(AutoencoderReconstructor):
    """Reference: maximum-a-posteriori restoration under a Gaussian mixture VAE.

    The network's evidence lower bound (ELBO) stands for the log-probability of a normal image. The reference
    is what gradient ascent on ``ELBO(x_hat) - tv_weight * TV(x_hat - x)`` makes of the image x: what
    is unlikely changes, and the total variation lets it change in whole regions only.

    Parameters
    ----------
    channels : sequence of int, default=(64, 64)
        Filters of the encoder's residual blocks, each followed by a halving, as of :class:`VAEReconstructor`
        (we; two halvings and 64 filters as in the authors' program).
    latent_channels : int, default=1
        Channels of the latent map z.
    w_channels : int, default=1
        Channels of the latent map w.
    n_components : int, default=6
        Gaussians of the prior p(z | w, c).
    noise : float, default=0.25
        Standard deviation of p(x | z), on the scale where the images' range is [-1, 1]. (We: fixed; the
        authors weigh the squared error alike when they restore.)
    free_bits : float, default=0.5
        What every place of the latent map may spend on its component for nothing, nats; 0 charges all.
    tv_weight : float, default=5.0
        Nats per unit of total variation on the scale of [-1, 1]. The authors choose it so that normal images
        change little; their 1.8 is for images of unit variance, about a third of this scale.
    n_restoration_steps : int, default=500
        Steps of gradient ascent.
    restoration_lr : float, default=5e-4
        Their size. The ascent is stable as long as this is well below ``noise ** 2``.
    value_range : (float, float) or None, default=None
        Lowest and highest intensity, which the networks see as -1 and 1; None learns them for every contrast
        as the 0.1 % and 99.9 % quantiles of the training foreground. What lies beyond is clipped
        before the restoration begins. (We)
    augmentation : Augmentation or None, default=None
        Random views of the training slices.
    max_epochs : int, default=200
        Passes over the training slices. (We)
    batch_size : int, default=16
        Slices per step.
    lr : float, default=5e-5
        Learning rate of Adam.
    {device}
    precision : {"auto", "fp32", "bf16"}, default="auto"
        "auto" is bf16 autocast on a GPU that has it and fp32 on a CPU. The restoration is in
        fp32 always.
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : GMVAE
        On the CPU.
    history_ : dict of str to list of float
        Per epoch the mean of "loss" (-ELBO) and of its terms "reconstruction", "conditional_prior", "w_prior"
        and "c_prior", nats per image.
    loss_curve_ : list of float
        ``history_["loss"]``.
    value_range_ : ndarray of shape (n_contrasts, 2)
        Lowest and highest intensity of each contrast, which the networks see as -1 and 1.
    image_size_ : (int, int)
        Height and width; at score time slices must have them too.
    latent_shape_ : (int, int, int)
        Shape of one image's z.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Warns
    -----
    CollapseWarning
        In ``fit``, when after 5 or more epochs decoded images hardly differ between slices.

    See Also
    --------
    VAEReconstructor : A single Gaussian as prior, no restoration.

    Notes
    -----
    Likelihood and total variation are sums over the foreground, the divergences over the latent map: all
    terms are in nats, none is rescaled. Each place of the latent map has its own component c, whose posterior
    q(c | z, w) is computed from the generative model. We: while restoring, expectations over q(z | x) and
    q(w | x) are taken at their means, so that nothing is left to chance, and the best image seen is
    kept, so that the objective never rises. On a CPU slices are restored one after the other: the result does
    not depend on what else is in the batch.

    References
    ----------
    You, Tezcan, Chen, Konukoglu, "Unsupervised lesion detection via image restoration with a normative
    prior", MIDL 2019. Dilokthanakul et al., "Deep unsupervised clustering with Gaussian mixture variational
    autoencoders", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.reconstruction import GMVAEReconstructor
    >>> X = np.random.default_rng(0).normal(size=(4, 1, 8, 12)).astype("float32")
    >>> gmvae = GMVAEReconstructor(channels=(4, 8), max_epochs=1, n_restoration_steps=5, random_state=0)
    >>> curve = gmvae.fit(X).restoration_curve(X)
    >>> gmvae.transform(X).shape, bool((curve[:, -1] <= curve[:, 0]).all())
    ((4, 2, 1, 8, 12), True)
    """

    _parameter_constraints = {
        "channels": ["array-like"],
        "latent_channels": COUNT,
        "w_channels": COUNT,
        "n_components": COUNT,
        "noise": RATE,
        "free_bits": WEIGHT,
        "tv_weight": WEIGHT,
        "n_restoration_steps": [Interval(Integral, 0, None, closed="left")],
        "restoration_lr": RATE,
        "value_range": ["array-like", None],
        "augmentation": [Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        channels=(64, 64),
        latent_channels=1,
        w_channels=1,
        n_components=6,
        noise=0.25,
        free_bits=0.5,
        tv_weight=5.0,
        n_restoration_steps=500,
        restoration_lr=5e-4,
        value_range=None,
        augmentation=None,
        max_epochs=200,
        batch_size=16,
        lr=5e-5,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.channels = channels
        self.latent_channels = latent_channels
        self.w_channels = w_channels
        self.n_components = n_components
        self.noise = noise
        self.free_bits = free_bits
        self.tv_weight = tv_weight
        self.n_restoration_steps = n_restoration_steps
        self.restoration_lr = restoration_lr
        self.value_range = value_range
        self.augmentation = augmentation
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    def restoration_curve(self, X: Array) -> FloatArray:
        """How the objective of the restoration falls.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_restoration_steps + 1)
            Smallest ``tv_weight * TV - ELBO`` of every image up to each step, nats.
        """
        X = self._check_score_input(X)
        return map_chunks(lambda chunk: self._restore(lambda _, curve: curve.T, chunk), X)

    def sample(self, n_samples: int = 1, random_state: RandomState = None) -> FloatArray:
        """Images decoded from draws of the mixture prior; otherwise as of :class:`VAEReconstructor`."""
        check_is_fitted(self)
        with seeded(random_state):
            Z = self.module_.draw_latents(n_samples, *self.latent_shape_[1:])
        return self.decode(Z.detach().numpy())

    _advice = "lower noise or train longer"

    def _train(self, module, X):
        return Training.of(self).fit(module, X, self._loss, background=self.background_)

    def _loss(self, network, images, foreground):
        return gmvae_losses(network, *two_at_least(images, foreground), free_bits=self.free_bits)

    def _network(self, image_size):
        return GMVAE(
            self.n_contrasts_in_,
            channels=self.channels,
            latent_channels=self.latent_channels,
            w_channels=self.w_channels,
            n_components=self.n_components,
            noise=self.noise,
        )

    def _reconstruct(self, X):
        return self._restore(lambda restored, _: self.module_.unscale(restored), X)

    _one_pass = False  # the reference is the end of a search

    def _restore(self, result, X):
        """``result(restored, curve)`` of every batch; see :func:`skad.nn.restoration.restore`."""
        on_cpu = resolve_device(self.device).type == "cpu"
        return map_slices(
            self,
            lambda *batch: result(*self._ascend(*batch)),
            X,
            batch_size=1 if on_cpu else self.batch_size,
            precision="fp32",
        )

    def _ascend(self, images, foreground):
        with frozen(self.module_) as module:
            observed = module.scale(images)
            return restore(
                lambda restored: minus_elbo(module, restored, foreground, free_bits=self.free_bits),
                observed,
                foreground,
                n_steps=self.n_restoration_steps,
                lr=self.restoration_lr,
                tv_weight=self.tv_weight,
            )
