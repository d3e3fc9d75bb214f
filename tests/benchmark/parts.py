"""Methods for the tests of the benchmark; the processes of a study import them from here."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

from skad.base import PixelScorerMixin
from skad.benchmark.study import Component
from skad.mixture import SingularCovarianceError


class ConstantScorer(PixelScorerMixin, BaseEstimator):
    """A detector that has nothing to say."""

    _accepts = "images"
    _parameter_constraints = {}

    def fit(self, X, y=None):
        X = self._check_fit_input(X)
        self.offset_ = 0.0
        return self

    def _score(self, X):
        return np.full((len(X), *X.shape[2:]), 0.25, dtype=np.float32)


class DeadComponent(Component):
    """Builds the constant score."""

    is_random = False

    def build(self, seed, fitted=None):
        return ConstantScorer()


class SingularScorer(ConstantScorer):
    """Its training ends on the way."""

    def fit(self, X, y=None):
        raise SingularCovarianceError("Covariances should be positive definite.")


class SingularComponent(Component):
    """Builds the scorer whose training ends."""

    is_random = False

    def build(self, seed, fitted=None):
        return SingularScorer()


class KilledOnce(Callback):
    """The process is killed in its second epoch, if that has not happened before."""

    def __init__(self, marker):
        self.marker = marker

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2 and not Path(self.marker).exists():
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class KilledComponent(Component):
    """Builds what its table says; the first training with a seed is killed."""

    markers: Path = Path()

    def build(self, seed, fitted=None):
        marker = self.markers / f"killed-{seed}"
        return super().build(seed, fitted).set_params(callbacks=[KilledOnce(marker)])
