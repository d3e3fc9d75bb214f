"""Checks of an estimator inside other things: pickle, clone, Pipeline, cross-validation."""

import copy
import io
import pickle
import tempfile
from pathlib import Path

import joblib
import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skad.utils.estimator_checks.assertions import assert_equal_outputs, outputs
from skad.utils.estimator_checks.data import as_pairs


def check_pickle(estimator, data):
    """pickle, joblib and deepcopy give back an estimator that scores the same."""
    fitted = clone(estimator).fit(data.X)
    expected = outputs(fitted, data.X)
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    for restored in (pickle.loads(pickle.dumps(fitted)), joblib.load(file), copy.deepcopy(fitted)):
        assert_equal_outputs(outputs(restored, data.X), expected, "a copy scores differently")


def check_clone(estimator, data):
    """A clone of a fitted estimator is unfitted and learns the same."""
    fitted = data.fitted(estimator)
    copied = clone(fitted)
    assert not hasattr(copied, "n_contrasts_in_"), "A clone should know nothing of the fit."
    expected = outputs(fitted, data.X)
    assert_equal_outputs(outputs(copied.fit(data.X), data.X), expected, "a clone learns something else")


def check_pipeline(estimator, data):
    """In a Pipeline, behind a reference or before a score, an estimator does what it does alone."""
    expected = outputs(data.fitted(estimator), data.X)
    if hasattr(estimator, "reconstruct"):
        pipeline = make_pipeline(clone(estimator), FunctionTransformer(_residuals)).fit(data.images)
        assert_array_equal(pipeline.transform(data.images), _residuals(expected["transform"]))
    else:
        first = FunctionTransformer(as_pairs if data.pairs else None)
        pipeline = make_pipeline(first, clone(estimator)).fit(data.images)
        assert_equal_outputs(outputs(pipeline, data.images), expected, "in a Pipeline the scores differ")


def _residuals(pairs):
    return pairs[:, 0] - pairs[:, 1]


def check_grid_search(estimator, data):
    """Cross-validated search over a memory map, with labels that only the score sees."""
    labels = data.foreground.astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        np.save(path, data.X)
        X = np.load(path, mmap_mode="r")
        search = GridSearchCV(estimator, {}, scoring=_mean_normality, cv=KFold(3), error_score="raise")
        search.fit(X, labels)
        del X
    assert np.isfinite(search.best_score_), f"The cross-validated score is {search.best_score_}."


def _mean_normality(estimator, X, y):
    return float(estimator.score_samples(X)[y > 0].mean())
