"""The smallest estimators that keep every contract: the tests of checks, base and training run on them."""

from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval
from torch import nn

from skad.base import PixelScorerMixin, ReconstructorMixin
from skad.nn.background import foreground_mean
from skad.training import TRAINING_CONSTRAINTS, Training, map_slices, seeded


def squared_error(network, images, foreground):
    return {"loss": foreground_mean((network(images).float() - images).square(), foreground)}


class TinyReconstructor(ReconstructorMixin, BaseEstimator):
    """One convolution that repeats the image; batch norm makes training and evaluation mode differ."""

    _parameter_constraints = {**TRAINING_CONSTRAINTS, "augment": [callable, None]}

    def __init__(
        self,
        *,
        augment=None,
        max_epochs=2,
        batch_size=2,
        lr=0.01,
        device="auto",
        precision="auto",
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.augment = augment
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
    def fit(self, X, y=None):
        X = self._check_fit_input(X)
        with seeded(self.random_state):
            if not (self.warm_start and hasattr(self, "module_")):
                self.module_ = nn.Sequential(
                    nn.Conv2d(X.shape[1], X.shape[1], 3, padding=1), nn.BatchNorm2d(X.shape[1])
                )
            training = Training.of(self, augmentation=self.augment)
            curves = training.fit(self.module_, X, squared_error, background=self.background_)
        self.loss_curve_ = curves["loss"]
        return self

    def _reconstruct(self, X):
        return map_slices(self, lambda images, foreground: self.module_(images), X)


class TinyResidual(PixelScorerMixin, BaseEstimator):
    """Minus the mean absolute residual, in units of the training residuals."""

    _missing_contrast = True
    _parameter_constraints = {"contamination": [Interval(Real, 0, 0.5, closed="both")]}

    def __init__(self, *, contamination=0.01):
        self.contamination = contamination

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        X = self._check_fit_input(X)
        self.scale_ = (
            float(np.nanmean([np.nanmean(r) for r in self._features(X) if not np.isnan(r).all()])) + 1e-3
        )
        return self._fit_offset(X)

    def _features(self, X):
        return np.abs(X[:, 0] - X[:, 1])

    def _score(self, X):
        return -np.nan_to_num(self._features(X)).mean(axis=1) / self.scale_


class TinyDistance(TinyResidual):
    """Minus the distance from the darkest value; takes images, or pairs of which it sees the image only."""

    _accepts = "both"
    _missing_contrast = False

    def _features(self, X):
        images = X if X.ndim == 4 else X[:, 0]
        return np.abs(images - self.background_[:, None, None])


class FakeOutOfMemory(nn.Module):
    """A network that does not fit when the batch is larger than ``limit``."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit
        self.layer = nn.Conv2d(2, 2, 1)
        self.seen = []

    def forward(self, images):
        self.seen.append(len(images))
        if len(images) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.layer(images)
