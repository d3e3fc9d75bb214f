import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline

from skad.metrics import (
    foreground_average_precision,
    foreground_average_precision_score,
    foreground_best_dice,
    foreground_best_dice_score,
    foreground_roc_auc,
    foreground_roc_auc_score,
    make_map_scorer,
)
from skad.model_selection import NormalTrainSplit


class Scale(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        assert X.ndim == 4
        self.mean_ = np.nanmean(X)
        return self

    def transform(self, X):
        return X - self.mean_


class OneContrast(BaseEstimator):
    """Calls bright pixels of one contrast abnormal."""

    def __init__(self, contrast=0):
        self.contrast = contrast

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def score_samples(self, X):
        return -X[:, self.contrast]


@pytest.fixture
def stack(lesions):
    """Two contrasts, lesions bright in the second only; three patients with a normal slice each."""
    y_true, anomaly = np.concatenate([lesions[0]] * 3), np.concatenate([lesions[1]] * 3)
    y_true[::5] = 0
    noise = np.random.default_rng(1).normal(size=anomaly.shape) + 0 * anomaly
    return np.stack([noise, anomaly], axis=1), y_true, np.repeat([10, 20, 30], 5)


READY_MADE = [
    (foreground_roc_auc, foreground_roc_auc_score),
    (foreground_average_precision, foreground_average_precision_score),
    (foreground_best_dice, foreground_best_dice_score),
]


@pytest.mark.parametrize(("scorer", "metric"), READY_MADE)
def test_scorer_is_the_metric_of_minus_score_samples(scorer, metric, stack):
    X, y, _ = stack
    assert scorer(OneContrast(1), X, y) == metric(y, X[:, 1])


@pytest.mark.parametrize(("scorer", "metric"), READY_MADE)
def test_scorer_survives_pickle_and_says_how_it_was_made(scorer, metric, stack):
    X, y, _ = stack
    copy = pickle.loads(pickle.dumps(scorer))
    assert repr(copy) == f"make_map_scorer({metric.__name__})"
    assert copy(OneContrast(1), X, y) == scorer(OneContrast(1), X, y)


def test_arguments_reach_the_metric(stack):
    X, y, _ = stack
    scorer = make_map_scorer(foreground_roc_auc_score, label=2)
    assert scorer(OneContrast(1), X, y) == foreground_roc_auc_score(y, X[:, 1], label=2)
    assert repr(scorer) == "make_map_scorer(foreground_roc_auc_score, label=2)"


def test_grid_search_over_a_pipeline_of_4d_images_finds_the_contrast_with_lesions(stack):
    X, y, patients = stack
    pipeline = Pipeline([("scale", Scale()), ("score", OneContrast())])
    search = GridSearchCV(
        pipeline, {"score__contrast": [0, 1]}, scoring=foreground_roc_auc, cv=NormalTrainSplit(n_splits=3)
    ).fit(X, y, groups=patients)
    assert search.best_params_ == {"score__contrast": 1}
    expected = [foreground_roc_auc_score(y[patients == p], X[patients == p, 1]) for p in (10, 20, 30)]
    folds = [search.cv_results_[f"split{i}_test_score"][1] for i in range(3)]
    assert sorted(folds) == pytest.approx(sorted(expected))
    assert search.score(X, y) == foreground_roc_auc(search.best_estimator_, X, y)


def test_several_scorers_at_once(stack):
    X, y, patients = stack
    scoring = {"auc": foreground_roc_auc, "dice": foreground_best_dice}
    scores = cross_validate(
        OneContrast(1), X, y, groups=patients, scoring=scoring, cv=NormalTrainSplit(n_splits=3)
    )
    assert scores["test_auc"].shape == scores["test_dice"].shape == (3,)


def test_missing_labels_are_an_error(stack):
    with pytest.raises(ValueError, match="needs the pixel labels y, got None"):
        foreground_roc_auc(OneContrast(), stack[0], None)
