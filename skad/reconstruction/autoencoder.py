"""What reconstructors with an encoder and a decoder share: sizes, intensities, the frame of fit, collapse."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval

from skad.augmentation import Augmentation, Geometry
from skad.base import normal_sample
from skad.evaluation.collapse import EPOCHS, constant_output, warn_of_collapse
from skad.nn.vae import vae_losses
from skad.reconstruction.latent_space import LatentReconstructorMixin
from skad.training import seeded, start_module, visit_slices
from skad.utils.typing import Array
from skad.utils.validation import rows_with_foreground

RATE = [Interval(Real, 0, None, closed="neither")]
WEIGHT = [Interval(Real, 0, None, closed="left")]
COUNT = [Interval(Integral, 1, None, closed="left")]
_TAILS = (0.001, 0.999)  # quantiles of the foreground that become -1 and 1
_RANGE_SLICES = 256  # slices whose intensities decide the range

PAPER_VIEWS = Augmentation(Geometry(rotation=10.0, scaling=0.1))
"""Flip, rotation and scaling (K, III-B); the amounts are ours."""


class AutoencoderReconstructor(LatentReconstructorMixin, BaseEstimator):
    """Frame of the reconstructors whose network encodes and decodes whole slices.

    A subclass has the parameters ``channels``, ``value_range``, ``augmentation`` and those of a training, and
    implements

    - ``_network(image_size)``: the network as built, with ``set_value_range``, ``lowest`` and ``highest``;
    - ``_train(module, X)``: trains it and returns its curves, ``_main_loss`` among them;
    - ``_advice``: what to do when the output hardly differs between slices.
    """

    _main_loss = "loss"
    _advice = "train longer on diverse slices"

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
        self.latent_shape_ = self._shape_of_latents(module)
        self.loss_curve_ = self.history_[self._main_loss]
        self.module_ = module
        warn_of_collapse(self, self._reasons_of_collapse(X))
        return self

    def _train(self, module: Any, X: Array) -> dict[str, list[float]]:
        raise NotImplementedError

    def _network(self, image_size: tuple[int, int]) -> Any:
        raise NotImplementedError

    def _shape_of_latents(self, module):
        return module.latent_channels, *(side >> self._halvings() for side in self.image_size_)

    def _views(self):
        return PAPER_VIEWS if isinstance(self.augmentation, str) else self.augmentation

    def _range_of_values(self, X):
        return _range_of(X) if self.value_range is None else [self.value_range] * X.shape[1]

    def _decoded(self, X):
        """What the network makes of validated images, without a search or a restoration."""
        return LatentReconstructorMixin._reconstruct(self, X)

    def _reasons_of_collapse(self, X):
        if len(self.loss_curve_) >= EPOCHS and constant_output(self._decoded, X):
            return [f"the output hardly differs between slices, {self._advice}"]
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


def center_decoder(estimator, module, X):
    """Give the decoder's batch norm the means of what it decodes at score time.

    In training it decodes draws from the posteriors, at score time their means, which vary less: through its
    rectifiers, their features have other means. With those of draws, references are darker or brighter than
    the images by up to a standard deviation.

    Parameters
    ----------
    estimator : AutoencoderReconstructor
        Gives ``background_``, and batch size, device and precision.
    module : VAE
        Trained.
    X : array of shape (n_samples, n_contrasts, height, width)
        The training slices.

    Notes
    -----
    We: averages over the batches of one pass, without slices that are all background. Variances stay those of
    draws, so that what does not depend on the image is not amplified.
    """
    norms = [part for part in module.decoder.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    means: dict[Any, list[torch.Tensor]] = {norm: [] for norm in norms}

    def center(norm, inputs):
        means[norm].append(inputs[0].float().mean((0, 2, 3)))
        norm.running_mean.copy_(means[norm][-1])

    def decode(images, foreground):
        module.decode(module.encode(images))

    hooks = [norm.register_forward_pre_hook(center) for norm in norms]
    for _ in visit_slices(estimator, decode, _WithForeground(X), modules=[module]):
        pass
    for norm, hook in zip(norms, hooks, strict=True):
        hook.remove()
        norm.running_mean.copy_(torch.stack(means[norm]).mean(0))


class _WithForeground:
    """The slices of an array that are not all background, read batch by batch."""

    def __init__(self, X):
        self.X = X
        self.rows = rows_with_foreground(X)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, batch):
        return self.X[self.rows[batch]]


def plain_loss(network, images, foreground, *, reconstruction_weight):
    """The VAE's objective of a batch, see :func:`skad.nn.vae.vae_losses`; a lone image counts twice."""
    return vae_losses(network, *two_at_least(images, foreground), reconstruction_weight=reconstruction_weight)


def one_optimizer(module, *, encoder_lr, decoder_lr):
    """Adam of a single player whose two halves have rates of their own."""
    encoder = {"params": module.encoder.parameters(), "lr": encoder_lr}
    decoder = {"params": module.decoder.parameters(), "lr": decoder_lr}
    return {"adam": torch.optim.Adam([encoder, decoder])}


def two_at_least(images, foreground):
    """A lone image twice: batch norm needs two values per channel, 1 x 1 latents of one image have one."""
    if len(images) > 1:
        return images, foreground
    return images.repeat(2, 1, 1, 1), foreground.repeat(2, 1, 1, 1)


def _range_of(X):
    """Quantiles of every contrast over the foreground of evenly spread slices, shape (n_contrasts, 2)."""
    sample = normal_sample(X, _RANGE_SLICES)
    limits = [np.nanquantile(sample[:, contrast], _TAILS) for contrast in range(X.shape[1])]
    return [(low, high if high > low else low + 1) for low, high in limits]
