"""Segmenting planted lesions: a network that has only seen synthetic ones scores real ones."""

from functools import partial
from numbers import Integral, Real
from typing import Self

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.base import PixelScorerMixin, observed_images
from skad.nn.background import foreground_mean
from skad.nn.unet import UNet
from skad.synthetic import Blobs, plant_families
from skad.training import TRAINING_CONSTRAINTS, Training, map_slices, seeded, start_module
from skad.utils.typing import Array


def segmentation_loss(network, images, foreground, *, plant):
    """Plant lesions, and compare the logits with their soft mask: binary cross-entropy over the foreground.

    Parameters
    ----------
    network : UNet
    images : Tensor of shape (n, n_contrasts, height, width) or pairs (n, 2, n_contrasts, height, width)
        Normal slices; lesions are planted into the image of a pair, not into its reference.
    foreground : bool Tensor of shape (n, 1, height, width)
    plant : callable
        ``plant(images, foreground)`` -> (images, soft mask).

    Returns
    -------
    dict with "loss", a scalar Tensor, in nats per pixel
    """
    observed, *reference = [images] if images.dim() == 4 else images.unbind(1)
    with torch.autocast(images.device.type, enabled=False):  # intensities keep their digits
        planted, mask = plant(observed, foreground)
    logits = network(torch.cat([planted, *reference], dim=1))
    entropy = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return {"loss": foreground_mean(entropy, foreground)}


class SyntheticAnomalyScorer(PixelScorerMixin, BaseEstimator):
    """Score of a pixel: minus the logit of a U-Net that learnt to segment lesions planted into normal slices.

    Takes images, or pairs: then the reference joins as further channels, and lesions are planted into the
    image only.

    Parameters
    ----------
    families : "auto" or sequence of families of :mod:`skad.synthetic`, default="auto"
        What is planted; each slice gets one family. "auto" is ``(Blobs(),)``.
    use_reference : bool, default=True
        Whether the reference of pairs joins; False looks at their image only.
    clean_share : float, default=0.15
        Share of the training slices that are left without a lesion.
    width : int, default=16
        Feature maps of the finest level of the U-Net.
    depth : int, default=4
        Halvings of the resolution in the U-Net.
    normalization : {"batch", "group"}, default="batch"
        Of the U-Net's layers: "group" divides out how bright a slice is as a whole, and needs no batch.
    flip_average : bool, default=True
        Score the mean logit of every slice and its mirror image.
    augmentation : "auto", Augmentation or None, default="auto"
        Random views of the normal slices before planting. "auto": flips, rotation up to 10 degrees, size by
        10 %, shift by 5 %, intensity factor and offset with a standard deviation of 0.1 (times the scale of
        z-scored images).
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    max_epochs : int, default=40
    batch_size : int, default=16
    lr : float, default=1e-3
        Learning rate of Adam.
    device, precision, random_state, verbose, callbacks, warm_start
        As in :class:`skad.reconstruction.ContrastTranslator`.

    Attributes
    ----------
    module_ : UNet
        On the CPU.
    loss_curve_ : list of float
        Mean cross-entropy of every epoch.
    offset_ : float
    background_, n_contrasts_in_

    Notes
    -----
    All of it is our decision, in the family of FPI, DRAEM and DISYRE. Score and features need no lesion and
    no label, but the planted families are an assumption about lesions: a detector is flattered by a selection
    score that plants the same. In pairs the reference is that of the unharmed slice, as a perfect
    reconstructor would give it; one that copies part of a lesion shows the network less difference at score
    time than it has learnt from.

    References
    ----------
    Tan et al. 2020 (FPI). Zavrtanik, Kristan, Skocaj, ICCV 2021 (DRAEM). Naval Marimont et al., ISBI 2024
    (DISYRE).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import SyntheticAnomalyScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> SyntheticAnomalyScorer(width=4, depth=1, max_epochs=1, random_state=0).fit(X).score_samples(X).shape
    (4, 12, 16)
    """

    _accepts = "both"
    _parameter_constraints = {
        "families": [StrOptions({"auto"}), tuple, list],
        "use_reference": ["boolean"],
        "clean_share": [Interval(Real, 0, 1, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 0, None, closed="left")],
        "normalization": [StrOptions({"batch", "group"})],
        "flip_average": ["boolean"],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        families="auto",
        use_reference=True,
        clean_share=0.15,
        width=16,
        depth=4,
        normalization="batch",
        flip_average=True,
        augmentation="auto",
        contamination=0.01,
        max_epochs=40,
        batch_size=16,
        lr=1e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.families = families
        self.use_reference = use_reference
        self.clean_share = clean_share
        self.width = width
        self.depth = depth
        self.normalization = normalization
        self.flip_average = flip_average
        self.augmentation = augmentation
        self.contamination = contamination
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn to segment lesions planted into normal slices.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            Normal slices, or pairs (n_samples, 2, n_contrasts, height, width) from a reconstructor. NaN
            background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._looked_at(self._check_fit_input(X))
        plant = partial(plant_families, self._families(), clean_share=self.clean_share)
        n_inputs = self.n_contrasts_in_ * (X.ndim - 3)
        with seeded(self.random_state):
            self.module_ = start_module(self, self._network(n_inputs))
            training = Training.of(self, augmentation=self._views())
            loss = partial(segmentation_loss, plant=plant)
            curves = training.fit(self.module_, X, loss, background=self.background_)
        self.loss_curve_ = curves["loss"]
        return self._fit_offset(X)

    def _families(self):
        families = (Blobs(),) if isinstance(self.families, str) else self.families
        if not families or not all(isinstance(family, BaseEstimator) for family in families):
            raise ValueError(
                f"families should be families of skad.synthetic such as Blobs(), got {families!r}."
            )
        for family in families:
            family._validate_params()
        return families

    def _views(self):
        if self.augmentation != "auto":
            return self.augmentation
        return Augmentation(
            Geometry(rotation=10.0, scaling=0.1, translation=0.05), Intensity(scaling=0.15, shift=0.2)
        )

    def _network(self, n_inputs):
        return UNet(n_inputs, 1, width=self.width, depth=self.depth, normalization=self.normalization)

    def _logits(self, images, foreground):
        channels = _as_channels(images)
        logits = self.module_(channels)
        if self.flip_average:
            logits = (logits + self.module_(channels.flip(-1)).flip(-1)) / 2
        return logits[:, 0]

    def _score(self, X):
        return -map_slices(self, self._logits, X)

    def _features(self, X):
        return map_slices(self, lambda images, foreground: self.module_.features(_as_channels(images)), X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self, "module_") and self.use_reference:  # what was fitted on images refuses pairs
            tags.input_tags.pairs = self.module_.n_inputs > self.n_contrasts_in_
        return tags

    def _looked_at(self, X):
        return X if self.use_reference else observed_images(X)

    def _check_score_input(self, X):
        X = self._looked_at(super()._check_score_input(X))
        n_inputs = self.n_contrasts_in_ * (X.ndim - 3)
        if n_inputs != self.module_.n_inputs:
            fitted, given = ("pairs", "images") if X.ndim == 4 else ("images", "pairs")
            raise ValueError(
                f"SyntheticAnomalyScorer was fitted on {fitted}, got {given} of shape {X.shape}."
            )
        return X


def _as_channels(images):
    """Images as they are, pairs (n, 2, C, height, width) as (n, 2C, height, width)."""
    return images if images.dim() == 4 else images.flatten(1, 2)
