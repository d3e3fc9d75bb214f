"""Distance from the center that a network maps normal pixels to (Ruff et al. 2018)."""

import math
from functools import partial
from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skad.augmentation import Augmentation
from skad.base import PixelScorerMixin
from skad.nn.deep_svdd import HypersphereNetwork, one_class_loss, push_from_zero, soft_boundary_loss
from skad.training import (
    TRAINING_CONSTRAINTS,
    Training,
    describe_training,
    map_slices,
    seeded,
    start_module,
    visit_slices,
)
from skad.utils.typing import Array
from skad.utils.validation import foreground_of

_RADIUS_PIXELS = 2**22  # pixels that decide the radius


def soft_boundary_radius(squared_distances, nu):
    """The squared radius that minimizes R^2 + 1/(nu n) sum max(0, d^2 - R^2): the (1 - nu) quantile of d^2.

    Parameters
    ----------
    squared_distances : ndarray of shape (n,)
    nu : float

    Returns
    -------
    float
        One of the squared distances; at most nu n of them are larger.

    Examples
    --------
    >>> import numpy as np
    >>> soft_boundary_radius(np.array([1.0, 4.0, 9.0, 16.0]), nu=0.25)
    9.0
    """
    return float(np.quantile(squared_distances, 1 - nu, method="inverted_cdf"))


@describe_training
class DeepSVDDScorer(PixelScorerMixin, BaseEstimator):
    """Scorer: negative squared distance of a pixel's features from the center of the normal ones.

    Takes images.

    Parameters
    ----------
    objective : {"one-class", "soft-boundary"}, default="one-class"
        The mean squared distance (Ruff et al., eq. 4), or a sphere that leaves out the share ``nu`` (eq. 3).
    nu : float, default=0.1
        Share of the training pixels outside the soft boundary.
    n_features : int, default=32
        Dimensions of the sphere.
    width : int, default=16
        Feature maps of the hidden layers. (We)
    depth : int, default=4
        Convolutions; a pixel's features see ``2 ** (depth + 1) - 1`` pixels across. (We: 31, about the size
        of the images of Ruff et al.)
    weight_decay : float, default=1e-6
        lambda: half of it times the squared weights joins the loss.
    n_warmup_epochs : int, default=10
        Epochs of the soft boundary with R = 0, before the radius is set for the first time.
    radius_interval : int, default=5
        k: the radius is set anew every k epochs, from all training pixels. (We)
    contamination : float, default=0.01
        Share of the training foreground that ``predict`` would call abnormal; sets ``offset_``.
    augmentation : Augmentation or None, default=None
        Random views of the training slices.
    max_epochs : int, default=50
        Passes over the training slices. (We)
    batch_size : int, default=16
        Slices per step. (We)
    lr : float, default=1e-3
        Learning rate of Adam. (We: with 1e-4, that of Ruff et al., the loss of some hundred steps is still
        falling.)
    {device}
    {precision}
    {random_state}
    {verbose}
    {callbacks}
    warm_start : bool, default=False
        Continue from the network, center and radius of the last fit.

    Attributes
    ----------
    center_ : ndarray of float32, shape (n_features,)
        Mean features of all foreground pixels before the training, coordinates below 0.1 in size pushed to
        0.1.
    radius_ : float
        Square root of the (1 - nu) quantile of the training pixels' squared distances after the training; 0
        for "one-class". The score is radius_^2 minus the squared distance.
    module_ : HypersphereNetwork
    loss_curve_ : list of float
        Mean of the objective in every epoch, without the weight decay.
    offset_ : float
        Threshold of ``predict``: the ``contamination`` quantile of the training scores.
    background_ : ndarray of shape (n_contrasts,)
        Darkest training intensity of each contrast; it replaces NaN before the network.
    n_contrasts_in_ : int
        Number of contrasts seen in ``fit``.

    See Also
    --------
    DAGMMScorer : A density instead of a sphere.

    Notes
    -----
    (We) Ruff et al. map an image to one point; here every pixel with its surroundings is one. They start from
    the encoder of an autoencoder; at full resolution that would be a copy of the image, so we start from He's
    random weights. Above 4 million training pixels the radius is that of every second, third, ... of them.

    References
    ----------
    Ruff et al., "Deep one-class classification", ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.scoring import DeepSVDDScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 16)).astype("float32")
    >>> scorer = DeepSVDDScorer(n_features=8, width=4, depth=2, max_epochs=1, random_state=0).fit(X)
    >>> scorer.score_samples(X).shape, scorer.center_.shape
    ((4, 12, 16), (8,))
    """

    _accepts = "images"
    _parameter_constraints = {
        "objective": [StrOptions({"one-class", "soft-boundary"})],
        "nu": [Interval(Real, 0, 1, closed="right")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "depth": [Interval(Integral, 1, None, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "n_warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "radius_interval": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="both")],
        "augmentation": [Augmentation, None],
        **TRAINING_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        objective="one-class",
        nu=0.1,
        n_features=32,
        width=16,
        depth=4,
        weight_decay=1e-6,
        n_warmup_epochs=10,
        radius_interval=5,
        contamination=0.01,
        augmentation=None,
        max_epochs=50,
        batch_size=16,
        lr=1e-3,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.objective = objective
        self.nu = nu
        self.n_features = n_features
        self.width = width
        self.depth = depth
        self.weight_decay = weight_decay
        self.n_warmup_epochs = n_warmup_epochs
        self.radius_interval = radius_interval
        self.contamination = contamination
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Draw the features of normal slices to one point.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
            NaN background.
        y : ignored

        Returns
        -------
        self
        """
        X = self._check_fit_input(X)
        with seeded(self.random_state):
            network = self._network(X)
            training = Training.of(self, optimizers=self._adam, on_epoch_start=partial(self._solve_radius, X))
            curves = training.fit(network, X, self._loss, background=self.background_)
        if self.objective == "soft-boundary":
            self._set_radius(network, X, modules=[network])
        self.module_, self.loss_curve_ = network, curves["loss"]
        self.center_, self.radius_ = network.center.numpy().copy(), math.sqrt(network.squared_radius)
        return self._fit_offset(X)

    def _network(self, X):
        """A network with its center, from one pass over all training pixels or from the last fit."""
        network = start_module(
            self,
            HypersphereNetwork(self.n_contrasts_in_, self.n_features, width=self.width, depth=self.depth),
        )
        if not (self.warm_start and hasattr(self, "module_")):
            network.center.copy_(push_from_zero(self._mean_features(network, X)))
        if self.objective == "one-class":
            network.squared_radius.zero_()
        return network

    def _mean_features(self, network, X):
        """Mean over all foreground pixels, float64 Tensor of shape (n_features,)."""

        def sums(images, foreground):
            return (network(images) * foreground).sum(dim=(0, 2, 3)), int(foreground.sum())

        parts = [part for _, part in visit_slices(self, sums, X, modules=[network])]
        return sum(total.cpu().double() for total, _ in parts) / sum(count for _, count in parts)

    def _adam(self, network):
        return {"adam": torch.optim.Adam(network.parameters(), lr=self.lr, weight_decay=self.weight_decay)}

    def _loss(self, network, images, foreground):
        distances = network.squared_distances(images)
        if self.objective == "one-class":
            return {"loss": one_class_loss(distances, foreground)}
        return {"loss": soft_boundary_loss(distances, foreground, network.squared_radius, self.nu)}

    def _solve_radius(self, X, run):
        """At the start of every k-th epoch after the warm-up, which a warm start has behind it."""
        warm = self.warm_start and hasattr(self, "module_")
        since_warmup = run.epoch - (0 if warm else self.n_warmup_epochs)
        if (
            self.objective == "soft-boundary"
            and since_warmup >= 0
            and since_warmup % self.radius_interval == 0
        ):
            self._set_radius(run.module, X)

    def _set_radius(self, network, X, *, modules=()):
        """Solve for R with the weights as they are; ``modules`` is empty while they are being trained."""
        stride = -(-_foreground_counts(X).sum() // _RADIUS_PIXELS)

        def distances(images, foreground):
            return network.squared_distances(images)[foreground[:, 0]][::stride]

        parts = [part.cpu().numpy() for _, part in visit_slices(self, distances, X, modules=modules)]
        network.squared_radius.fill_(soft_boundary_radius(np.concatenate(parts), self.nu))

    def _score(self, X):
        def scores(images, foreground):
            return self.module_.squared_radius - self.module_.squared_distances(images)

        return map_slices(self, scores, X)

    def _features(self, X):
        return map_slices(self, lambda images, _: self.module_(images), X)


def _foreground_counts(X):
    return np.array([np.count_nonzero(foreground_of(image[None])) for image in X])
