"""Segmenting planted lesions: a network that has only seen synthetic ones scores real ones."""

import math
from functools import partial
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry, Scanner
from skad.base import PixelScorerMixin, has_neighbors, normal_sample, observed_images
from skad.mixture.fitting import fit_mixture, sample_pixels
from skad.nn.atlas_maps import share_explained_by_place
from skad.nn.background import split_background
from skad.nn.lesion_loss import segmentation_loss
from skad.nn.lesion_network import INPUTS, LesionNetwork
from skad.nn.views import average_over_views
from skad.synthetic import Lesions, plant_families
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training, map_slices, seeded, start_module
from skad.utils.names import check_name
from skad.utils.typing import Array

_N_COMPONENTS, _MAX_PIXELS = 3, 40_000  # of the mixture behind conditional maps
_OFFSET_SLICES = 64  # of 254 glioma slices, so many leave 1 +- 0.13 % (SD) below the threshold, 32 0.29 %
_POSITIVE = Interval(Real, 0, None, closed="neither")
_LEAST_EXPLAINED = 0.2  # share of the variance of normal slices that their mean explains, for an atlas


@describe_training
class SyntheticAnomalyScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: negative logit of a U-Net trained to segment synthetic lesions in normal slices.

    Takes images, pairs, or slices with the ones below and above them. In pairs the reference adds channels,
    and lesions are planted into the image only; they go on into neighbors.

    Parameters
    ----------
    families : "auto" or sequence of families of :mod:`skad.synthetic`, default="auto"
        Families of synthetic lesions; each slice gets one. "auto" is ``(Lesions(),)``.
    inputs : sequence of str, default=("image", "reference")
        Inputs of the network: "image"; "reference", where pairs are given; "neighbors", the slices below
        and above, where they are given (2.5-D); "conditional", how unusual
        each contrast of the image is given the others, under a Gaussian mixture of normal pixels; "position",
        where a pixel lies in the foreground; "mirror", how far each contrast is from the other side of the
        brain, for slices whose columns run from side to side; "atlas", how far each contrast is from the
        training slices at the same place, where these explain at least a fifth of each other (slices of one
        level in a common space; elsewhere "atlas" is left out). Without "reference" only the image of a pair
        is used, without "neighbors" only the slice itself.
    clean_share : float, default=0.15
        Share of training slices without a lesion.
    width : int, default=16
        Feature maps of the finest level of the U-Net.
    depth : int, default=4
        Halvings of the resolution in the U-Net.
    dice : float, default=0.0
        Weight of the Dice loss beside the cross-entropy.
    flip_average : bool, default=True
        Score the mean logit of every slice and its mirror image.
    zooms : sequence of float, default=()
        Magnifications at which every slice is scored as well, such as (0.9, 1.1); the score is the mean logit
        over all views. Scoring takes as many times longer.
    augmentation : "auto", Augmentation or None, default="auto"
        Random views: its geometry before planting, for that is what the patient does, and its intensity after
        planting, for that is what the scanner does. "auto": flips, rotation up to 10 degrees, size by 10 %,
        shift by 5 %, and :class:`skad.augmentation.Scanner` with a factor of standard deviation 0.15 and an
        offset of standard deviation 0.2.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``, from at most
        64 slices, so that training does not end with a long wait.
    epoch_size : int, default=1
        If there are fewer training slices than this, an epoch passes through them several times, to visit
        about this many. Other lesions are planted each time.
    max_epochs : int, default=40
        Number of epochs.
    batch_size : int, default=16
        Slices per step.
    lr : float, default=1e-3
        Learning rate of Adam.
    schedule : {"constant", "cosine"}, default="constant"
        Learning rate over the epochs; "cosine" decreases it to zero.
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : skad.nn.lesion_network.LesionNetwork
        The network, on the CPU.
    loss_curve_ : list of float
        Mean loss of every epoch.
    offset_ : float
        Scores below it are abnormal.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    skad.synthetic.Lesions : The default family.
    skad.scoring.make_lesion_ensemble : An ensemble with this scorer.
    skad.model_selection.PseudoAnomalyScorer : Selects models with synthetic lesions.

    Notes
    -----
    All of it is our decision, in the family of FPI, DRAEM and DISYRE. Score and features need no lesion and
    no label, but the planted families are an assumption about lesions: a detector is flattered by a selection
    score that plants the same. In pairs the reference is that of the unharmed slice, as a perfect
    reconstructor would give it; one that copies part of a lesion shows the network less difference at score
    time than it has learned from.

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

    _accepts = "series"
    _parameter_constraints = {
        "families": [StrOptions({"auto"}), tuple, list],
        "inputs": [tuple, list],
        "clean_share": [Interval(Real, 0, 1, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 0, None, closed="left")],
        "dice": [Interval(Real, 0, None, closed="left")],
        "flip_average": ["boolean"],
        "zooms": [tuple, list],
        "augmentation": [StrOptions({"auto"}), Augmentation, None],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "epoch_size": [Interval(Integral, 1, None, closed="left")],
        "schedule": [StrOptions({"constant", "cosine"})],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        families="auto",
        inputs=("image", "reference"),
        clean_share=0.15,
        width=16,
        depth=4,
        dice=0.0,
        flip_average=True,
        zooms=(),
        augmentation="auto",
        contamination=0.01,
        epoch_size=1,
        max_epochs=40,
        batch_size=16,
        lr=1e-3,
        schedule="constant",
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.families = families
        self.inputs = inputs
        self.clean_share = clean_share
        self.width = width
        self.depth = depth
        self.dice = dice
        self.flip_average = flip_average
        self.zooms = zooms
        self.augmentation = augmentation
        self.contamination = contamination
        self.epoch_size = epoch_size
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.schedule = schedule
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
            Normal slices, pairs (n_samples, 2, n_contrasts, height, width) from a reconstructor, or slices
            with their neighbors (n_samples, 3, n_contrasts, height, width). NaN background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._looked_at(self._check_fit_input(X))
        if not all(map(_POSITIVE.is_satisfied_by, self.zooms)):
            raise ValueError(f"zooms should be positive numbers such as (0.9, 1.1), got {self.zooms!r}.")
        views = self._views()
        loss = partial(
            segmentation_loss,
            plant=partial(plant_families, self._families(), clean_share=self.clean_share),
            view=views.intensity,
            background=self.background_,
            dice=self.dice,
        )
        training = Training.of(
            self, augmentation=Augmentation(views.geometry), on_epoch_start=self._set_learning_rate
        )
        with seeded(self.random_state) as generator:
            self.module_ = start_module(self, self._network(X, generator))
            curves = training.fit(self.module_, self._repeated(X), loss, background=self.background_)
        self.loss_curve_ = curves["loss"]
        return self._fit_offset(X, _OFFSET_SLICES)

    def _families(self):
        families = (Lesions(),) if isinstance(self.families, str) else self.families
        if not families or not all(isinstance(family, BaseEstimator) for family in families):
            raise ValueError(
                f"families should be families of skad.synthetic such as Lesions(), got {families!r}."
            )
        for family in families:
            family._validate_params()
        return families

    def _views(self):
        if self.augmentation != "auto":
            return self.augmentation or Augmentation()
        return Augmentation(
            Geometry(rotation=10.0, scaling=0.1, translation=0.05), Scanner(scaling=0.15, shift=0.2)
        )

    def _repeated(self, X):
        """The slices as often as `epoch_size` asks for."""
        times = max(1, round(self.epoch_size / len(X)))
        return X if times == 1 else np.tile(X, (times,) + (1,) * (X.ndim - 1))

    def _set_learning_rate(self, run):
        if self.schedule == "cosine":
            for optimizer in run.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * (1 + math.cos(math.pi * run.epoch / self.max_epochs)) / 2

    def _network(self, X, generator):
        for name in self.inputs:
            check_name(name, INPUTS, "input")
        normal = self._normal_tensors(X) if "atlas" in self.inputs else None
        inputs = tuple(name for name in self.inputs if self._is_useful(name, X, normal))
        if not inputs:
            raise ValueError(
                f"inputs should hold one that the slices allow; {self.inputs} are the reference of pairs, or "
                "an atlas of slices that do not show the same anatomy at the same place."
            )
        network = LesionNetwork(
            self.n_contrasts_in_,
            inputs,
            size=tuple(X.shape[-2:]) if "atlas" in inputs else None,
            n_components=_N_COMPONENTS,
            width=self.width,
            depth=self.depth,
        )
        if network.conditional is not None:
            pixels = sample_pixels(observed_images(X), _MAX_PIXELS, generator)
            seed = int(generator.integers(2**31))
            network.conditional.set_mixture(*fit_mixture(pixels, _N_COMPONENTS, seed=seed))
        if network.atlas is not None:
            network.atlas.set_slices(*normal)
        return network

    def _normal_tensors(self, X):
        """Some normal slices and their foreground."""
        images = torch.from_numpy(normal_sample(observed_images(X)))
        return split_background(images, torch.from_numpy(self.background_))

    def _is_useful(self, name, X, normal):
        if name == "atlas":
            return share_explained_by_place(*normal) >= _LEAST_EXPLAINED
        if name == "neighbors":
            return has_neighbors(X)
        return name != "reference" or (X.ndim == 5 and not has_neighbors(X))

    def _network_map(self, images, foreground):
        background = torch.from_numpy(self.background_).to(images.device)
        logits = average_over_views(
            self.module_, images, foreground, background, flip=self.flip_average, zooms=self.zooms
        )
        return logits[:, 0]

    def _score(self, X):
        return -map_slices(self, self._network_map, X)

    def _features(self, X):
        return map_slices(self, self.module_.features, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self, "module_") and "reference" in self.inputs:  # what was fitted on images refuses pairs
            tags.input_tags.pairs = "reference" in self.module_.inputs
        return tags

    def _looked_at(self, X):
        beside = "neighbors" if has_neighbors(X) else "reference"
        return X if beside in self.inputs else observed_images(X)

    def _check_score_input(self, X):
        X = self._looked_at(super()._check_score_input(X))
        if has_neighbors(X):
            return X if "neighbors" in self.module_.inputs else observed_images(X)
        if (X.ndim == 5) != ("reference" in self.module_.inputs):
            fitted, given = ("pairs", "images") if X.ndim == 4 else ("images", "pairs")
            raise ValueError(
                f"SyntheticAnomalyScorer was fitted on {fitted}, got {given} of shape {X.shape}."
            )
        return X
