"""Ranking configurations on scans."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skad.datasets import make_phantom
from skad.io import Volume
from skad.model_selection import (
    NormalTrainSplit,
    PseudoAnomalyScorer,
    rank_configurations,
    slices_for_search,
)
from skad.preprocessing import VolumePreprocessor
from skad.scoring import MixtureScorer


@pytest.fixture(scope="module")
def slices():
    volumes = make_phantom(n_subjects=3, shape=(24, 28, 8), lesion="glioma", random_state=0)
    return slices_for_search(VolumePreprocessor(size=(28, 32)), volumes)


@pytest.fixture
def pipeline():
    return Pipeline([("score", MixtureScorer(random_state=0))])


GRID = {"score__n_components": [1, 3]}


def test_a_subject_without_labels_does_not_turn_lesions_of_others_into_normal_slices():
    volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), lesion="glioma", random_state=0)
    untold = Volume(dict(volumes[0].contrasts), volumes[0].affine, subject="untold")
    X, has_lesion, subjects = slices_for_search(VolumePreprocessor(size=(28, 32)), [untold, volumes[1]])
    alone = VolumePreprocessor(size=(28, 32)).fit_transform(volumes[1:])
    assert (subjects == "untold").any() and not has_lesion[subjects == "untold"].any()
    np.testing.assert_array_equal(X[subjects != "untold"], alone.X)
    assert has_lesion[subjects != "untold"].tolist() == alone.y.any(axis=(1, 2)).tolist()
    assert has_lesion.any()


def test_the_score_of_a_configuration_is_its_mean_over_folds_computed_by_hand(pipeline, slices, tmp_path):
    X, has_lesion, subjects = slices
    rows = rank_configurations(pipeline, GRID, *slices, memory=tmp_path, n_splits=3)
    for row in rows:
        scores = []
        for train, test in NormalTrainSplit(n_splits=3).split(X, has_lesion, subjects):
            fitted = clone(pipeline).set_params(score__n_components=row["score__n_components"]).fit(X[train])
            scores.append(PseudoAnomalyScorer()(fitted, X[test], has_lesion[test], groups=subjects[test]))
        assert row["mean_test_score"] == pytest.approx(np.mean(scores))
    assert rows[0]["mean_test_score"] >= rows[1]["mean_test_score"]


def test_a_second_search_fits_nothing_again(pipeline, slices, tmp_path, monkeypatch):
    first = rank_configurations(pipeline, GRID, *slices, memory=tmp_path, n_splits=2)
    monkeypatch.setattr(MixtureScorer, "fit", lambda self, X, y=None: 1 / 0)
    again = rank_configurations(pipeline, GRID, *slices, memory=tmp_path, n_splits=2)
    assert [row["mean_test_score"] for row in again] == [row["mean_test_score"] for row in first]


def test_a_configuration_that_fails_is_last(pipeline, slices, tmp_path):
    rows = rank_configurations(pipeline, {"score__n_components": [0, 2]}, *slices, memory=tmp_path)
    assert [row["score__n_components"] for row in rows] == [2, 0]
    assert np.isnan(rows[1]["mean_test_score"])


def test_when_every_configuration_fails_the_reason_is_told(pipeline, slices, tmp_path):
    with pytest.raises(ValueError, match="n_components"):
        rank_configurations(pipeline, {"score__n_components": [0, -1]}, *slices, memory=tmp_path)
