"""A search into a file, interrupted and resumed."""

import os

import numpy as np
import pytest

from skad.datasets import make_phantom
from skad.methods import make_detector
from skad.persistence import ResumableSearch, load
from skad.scoring import ConditionalMixtureScorer
from skad.utils.tables import read_table

GRID = {"score__n_components": [1, 2]}
SPLITS = 2


@pytest.fixture(scope="module")
def volumes():
    return make_phantom(n_subjects=2, shape=(24, 28, 8), lesion=None, random_state=0)


@pytest.fixture
def fits(monkeypatch):
    """The numbers of components of the mixtures that are fitted."""
    done, fit = [], ConditionalMixtureScorer.fit

    def counted(self, X, y=None):
        done.append(self.n_components)
        return fit(self, X, y)

    monkeypatch.setattr(ConditionalMixtureScorer, "fit", counted)
    return done


@pytest.fixture
def interrupted(volumes, tmp_path, monkeypatch):
    """The file of a search that was stopped at its third fit."""
    done, fit = [], ConditionalMixtureScorer.fit

    def stopped(self, X, y=None):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(self)
        return fit(self, X, y)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ConditionalMixtureScorer, "fit", stopped)
        ResumableSearch(tmp_path / "best.skad").rank(detector(), volumes, GRID, n_splits=SPLITS)
    return tmp_path / "best.skad"


def detector(**parameters):
    return make_detector("mixture", parameters={"preprocessor__size": (20, 24), **parameters})


def test_the_file_holds_the_fitted_detector_and_the_table_all_configurations(volumes, tmp_path):
    search = ResumableSearch(tmp_path / "best.skad")
    assert not search.is_complete()
    rows = search.rank(detector(), volumes, GRID, n_splits=SPLITS)
    fitted = search.fit(detector(score__n_components=rows[0]["score__n_components"]), volumes)
    assert sorted(os.listdir(tmp_path)) == ["best.skad", "tune.csv"]
    assert read_table(search.table) == rows
    assert {row["score__n_components"] for row in rows} == {1, 2}
    np.testing.assert_array_equal(
        load(tmp_path / "best.skad").anomaly_of(volumes[0]), fitted.anomaly_of(volumes[0])
    )


def test_a_resumed_search_fits_what_is_left_and_ranks_as_an_uninterrupted_one(
    interrupted, volumes, tmp_path, fits
):
    again = ResumableSearch(interrupted, resume=True)
    assert not again.is_complete()
    rows = again.rank(detector(), volumes, GRID, n_splits=SPLITS)
    assert len(fits) == len(GRID["score__n_components"]) * SPLITS - 2
    whole = ResumableSearch(tmp_path / "whole" / "best.skad").rank(detector(), volumes, GRID, n_splits=SPLITS)
    for row, expected in zip(rows, whole, strict=True):
        assert row["mean_test_score"] == expected["mean_test_score"]


def test_an_unfinished_search_is_resumed_or_overwritten_never_lost(interrupted):
    with pytest.raises(ValueError, match=r"best.skad.search holds an unfinished run: resume it"):
        ResumableSearch(interrupted).is_complete()
    assert not ResumableSearch(interrupted, overwrite=True).is_complete()


def test_a_search_that_is_overwritten_fits_everything_again(interrupted, volumes, fits):
    ResumableSearch(interrupted, overwrite=True).rank(detector(), volumes, GRID, n_splits=SPLITS)
    assert len(fits) == len(GRID["score__n_components"]) * SPLITS


def test_a_search_killed_after_its_detector_was_saved_fits_nothing_again(
    volumes, tmp_path, monkeypatch, fits
):
    def killed(folder):
        raise KeyboardInterrupt

    search = ResumableSearch(tmp_path / "best.skad")
    search.rank(detector(), volumes, GRID, n_splits=SPLITS)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("skad.persistence.resumable.Unfinished.remove", killed)
        search.fit(detector(), volumes)
    n_fits = len(fits)
    again = ResumableSearch(tmp_path / "best.skad", resume=True)
    assert not again.is_complete()
    again.fit(detector(), volumes)
    assert len(fits) == n_fits
    assert sorted(os.listdir(tmp_path)) == ["best.skad", "tune.csv"]


def test_fits_in_a_cache_outlive_the_search(volumes, tmp_path, fits):
    for name in ("first", "second"):
        search = ResumableSearch(tmp_path / name / "best.skad")
        search.rank(detector(), volumes, GRID, n_splits=SPLITS, cache=tmp_path / "cache")
    assert len(fits) == len(GRID["score__n_components"]) * SPLITS
    assert os.listdir(tmp_path / "second") == ["tune.csv"]


@pytest.mark.parametrize("name", ["best.skad", "tune.csv"])
def test_a_file_that_is_there_is_kept(name, tmp_path):
    (tmp_path / name).write_text("precious")
    with pytest.raises(ValueError, match=f"{name} already exists"):
        ResumableSearch(tmp_path / "best.skad").is_complete()


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"score__n_component": [2]}, "did you mean score__n_components"),
        ({"score__n_components": [2, -1]}, "n_components"),
    ],
)
def test_a_mistake_in_the_grid_is_found_before_anything_is_fitted(grid, message, volumes, tmp_path, fits):
    with pytest.raises(ValueError, match=message):
        ResumableSearch(tmp_path / "best.skad").rank(detector(), volumes, grid, n_splits=SPLITS)
    assert fits == [] and os.listdir(tmp_path) == []
