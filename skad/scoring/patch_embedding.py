"""Distance between the embeddings of a patch in an image and in its normal reference (K, II-C, III-C.4)."""

from functools import partial
from numbers import Integral, Real
from typing import Self

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.base import PixelScorerMixin
from skad.nn.background import standardize_foreground
from skad.nn.patch_embedding import PatchEmbedding, embedding_differences, fill_between, patch_margins
from skad.nn.triplets import draw_triplets, triplet_loss
from skad.training import TRAINING_CONSTRAINTS, Training, describe_training, map_slices, seeded, start_module
from skad.utils.typing import Array
from skad.utils.validation import with_missing_from_reference


@describe_training
class PatchEmbeddingScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: negative distance between the embeddings of a patch in the image and in the reference.

    The embedding is learned on patches of normal images, without labels: a patch stays close to itself when
    it moves or changes its intensity a little, and far from other places.

    Parameters
    ----------
    channels : sequence of int, default=(64, 128, 256, 512)
        Filters of the convolutions, two for each residual block (K).
    n_hidden : int, default=1024
        Hidden units of the perceptron (K).
    n_outputs : int, default=256
        Length of an embedding (K).
    patch_size : int, default=32
        Pixels (K).
    pooling : {"average", "flatten"}, default="average"
        What the perceptron sees of the last feature maps. (We: K does not say.)
    margin : float, default=1.0
        Of the triplet loss (K).
    n_patches : int, default=8
        Triplets of every slice of a batch. (We)
    views : "auto" or Augmentation, default="auto"
        How a positive differs from its patch. "auto": rotation up to 10 degrees, size by 10 %, shift by 2 of
        32 pixels, intensity factor (log) and offset with a standard deviation of 0.1. (K: "small".)
    augmentation : Augmentation or None, default=None
        Of the slices that patches are drawn from.
    stride : int, default=1
        Look at every ``stride``-th pixel and interpolate between: faster, with less detail.
    standardize : bool, default=True
        Z-score the map of every image over its foreground (K). False keeps distances, which compare between
        images.
    tile_size : int, default=128
        Side of what is looked at at once, pixels: bounds the memory, changes no value.
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    max_epochs : int, default=10
        (We: the loss has flattened by then on both cohorts of docs/results/kobayashi.md)
    batch_size : int, default=8
        Slices. (We)
    lr : float, default=1e-4
        Learning rate of Adam. (We)
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    {warm_start}

    Attributes
    ----------
    module_ : PatchEmbedding
        Patches (n, n_contrasts, patch_size, patch_size) to embeddings (n, n_outputs); on the CPU.
    loss_curve_ : list of float
        Mean triplet loss of every epoch.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: slices smaller than three quarters of a patch and a pixel, or none with a patch that is at
        least half foreground.

    See Also
    --------
    ResidualScorer : Differences of intensities instead of embeddings.

    Notes
    -----
    Every pixel's patch is embedded, exactly, with the convolutions of neighboring patches shared:
    :meth:`skad.nn.patch_embedding.PatchEmbedding.dense`. Slices are reflected at their borders.
    ``transform`` returns the difference of the embeddings, whose norm is the distance; with
    ``standardize=False`` and ``stride=1`` that norm is minus the score.

    References
    ----------
    Kobayashi et al. 2021 (K), II-C, III-C.4, eq. (8). Giusti et al., ICIP 2013 (dense maps).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import PatchEmbeddingScorer
    >>> P = np.random.default_rng(0).normal(size=(4, 2, 1, 20, 24)).astype("float32")
    >>> scorer = PatchEmbeddingScorer(channels=(4, 8), patch_size=12, max_epochs=1, random_state=0)
    >>> scorer.fit(P).score_samples(P).shape
    (4, 20, 24)
    """

    _missing_contrast = True
    _parameter_constraints = {
        "channels": ["array-like"],
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "n_outputs": [Interval(Integral, 1, None, closed="left")],
        "patch_size": [Interval(Integral, 6, None, closed="left")],
        "pooling": [StrOptions({"average", "flatten"})],
        "margin": [Interval(Real, 0, None, closed="neither")],
        "n_patches": [Interval(Integral, 1, None, closed="left")],
        "views": [StrOptions({"auto"}), Augmentation],
        "augmentation": [Augmentation, None],
        "stride": [Interval(Integral, 1, None, closed="left")],
        "standardize": ["boolean"],
        "tile_size": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        channels=(64, 128, 256, 512),
        n_hidden=1024,
        n_outputs=256,
        patch_size=32,
        pooling="average",
        margin=1.0,
        n_patches=8,
        views="auto",
        augmentation=None,
        stride=1,
        standardize=True,
        tile_size=128,
        contamination=0.01,
        max_epochs=10,
        batch_size=8,
        lr=1e-4,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.channels = channels
        self.n_hidden = n_hidden
        self.n_outputs = n_outputs
        self.patch_size = patch_size
        self.pooling = pooling
        self.margin = margin
        self.n_patches = n_patches
        self.views = views
        self.augmentation = augmentation
        self.stride = stride
        self.standardize = standardize
        self.tile_size = tile_size
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
        """Learn the embedding on the patches of normal images.

        Parameters
        ----------
        X : array-like of shape (n_samples, 2, n_contrasts, height, width)
            Pairs from a reconstructor, of which the images are learned from (K). NaN background.
        y : ignored

        Returns
        -------
        self
        """
        P = self._check_fit_input(X)
        _check_size(P, self.patch_size, context=self.patch_size // 4)
        draw = partial(
            draw_triplets, n_patches=self.n_patches, patch_size=self.patch_size, views=self._views()
        )
        with seeded(self.random_state):
            self.module_ = start_module(self, self._network())
            loss = partial(triplet_loss, margin=self.margin, draw=draw)
            curves = Training.of(self).fit(self.module_, P[:, 0], loss, background=self.background_)
        if not any(curves["n_triplets"]):
            raise ValueError(
                f"X should have a patch of {self.patch_size} x {self.patch_size} pixels that is "
                "at least half foreground, got slices with less; take smaller patches."
            )
        self.loss_curve_ = curves["loss"]
        return self._fit_offset(P)

    def _views(self):
        if self.views != "auto":
            return self.views
        return Augmentation(
            Geometry(flip=False, rotation=10.0, scaling=0.1, translation=0.04),
            Intensity(scaling=0.1, shift=0.1),
        )

    def _network(self):
        return PatchEmbedding(
            self.n_contrasts_in_,
            tuple(self.channels),
            n_hidden=self.n_hidden,
            n_outputs=self.n_outputs,
            patch_size=self.patch_size,
            pooling=self.pooling,
        )

    def _score(self, X):
        return self._map(self._normality_of, X)

    def _features(self, X):
        return self._map(lambda pairs, foreground: self._over_image(pairs, lambda each: each), X)

    def _normality_of(self, pairs, foreground):
        distance = self._over_image(pairs, lambda each: each.norm(dim=1, keepdim=True))[:, 0]
        return -standardize_foreground(distance, foreground[:, 0]) if self.standardize else -distance

    def _over_image(self, pairs, function):
        """What a function makes of the differences (n, n_outputs, ...) of all pixels, tile by tile."""
        shape = pairs.shape[-2:]
        maps = None
        tiles = embedding_differences(self.module_, pairs, stride=self.stride, tile_size=self.tile_size)
        for rows, columns, differences in tiles:
            part = function(differences)
            if maps is None:
                maps = part.new_empty(*part.shape[:2], *(-(-side // self.stride) for side in shape))
            maps[:, :, rows, columns] = part
        return fill_between(maps, self.stride, shape)

    def _map(self, function, X):
        return map_slices(self, function, with_missing_from_reference(X), batch_size=1)

    def _check_score_input(self, X):
        X = super()._check_score_input(X)
        _check_size(X, self.patch_size)
        return X


def _check_size(P, patch_size, context=0):
    least = patch_margins(patch_size + 2 * context)[1] + 1
    if min(P.shape[-2:]) < least:
        raise ValueError(
            f"Slices should have at least {least} x {least} pixels for patches of {patch_size}, "
            f"got {P.shape[-2]} x {P.shape[-1]}."
        )
