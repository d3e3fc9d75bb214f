"""Estimators that count their fits in a file, so that other processes and killed ones are counted too."""

import os
import signal
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skad.model_selection import NormalTrainSplit, PseudoAnomalyScorer
from skad.reconstruction import ContrastTranslator
from skad.scoring import JointDRGMM

LOG, FUSE = "SKAD_TEST_LOG", "SKAD_TEST_FUSE"  # in the environment, so that other processes find them
GRID = {"score__energy_weight": [5e-4, 5e-3], "score__n_components": [1, 2]}


class Translator(ContrastTranslator):
    """Counts its fits and its transforms."""

    def fit(self, X, y=None):
        note("reference")
        return super().fit(X, y)

    def transform(self, X):
        note("pairs")
        return super().transform(X)


class Scorer(JointDRGMM):
    """Counts its fits; the one with the largest weight dies with its process while the fuse is there."""

    def fit(self, X, y=None):
        fuse = Path(os.environ[FUSE])
        if self.energy_weight == max(GRID["score__energy_weight"]) and fuse.exists():
            fuse.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        note("score")
        return super().fit(X, y)


def note(word):
    """Write a line of the log."""
    with open(os.environ[LOG], "a") as file:
        file.write(f"{word}\n")


def make_data():
    """Slices of four patients, the last slice of each with a lesion: X, y, patients."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 2, 20, 16)).astype(np.float32)
    X[:, :, :2] = np.nan
    y = np.zeros((12, 20, 16), dtype=int)
    y[2::3, 8:12, 6:10] = 1
    X[2::3, 1, 8:12, 6:10] += 3
    return X, y, np.repeat(list("abcd"), 3)


def reference(**parameters):
    """An unfitted reconstructor."""
    return Translator(**{"width": 2, "n_blocks": 0, "max_epochs": 1, "random_state": 0, **parameters})


def pipeline(memory=None, **parameters):
    """An unfitted detector; parameters are the reference's."""
    score = Scorer(n_components=2, width=2, max_epochs=1, random_state=0)
    return Pipeline([("reference", reference(**parameters)), ("score", score)], memory=memory)


def search(estimator, data, grid=GRID, n_jobs=None):
    """Scores of the folds of every configuration, shape (2, n)."""
    X, y, groups = data
    found = GridSearchCV(
        estimator,
        grid,
        scoring=PseudoAnomalyScorer(n_slices=4),
        cv=NormalTrainSplit(n_splits=2),
        refit=False,
        error_score="raise",
        n_jobs=n_jobs,
    ).fit(X, y, groups=groups)
    return np.array([found.cv_results_[f"split{i}_test_score"] for i in range(2)])


def inside(grid):
    """The grid for an estimator that is inside another."""
    return {f"estimator__{name}": values for name, values in grid.items()}
