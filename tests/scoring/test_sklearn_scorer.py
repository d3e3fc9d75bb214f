"""Detectors of scikit-learn and pyod inside a scorer say what they say outside."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import skad
from skad.mixture.fitting import sample_pixels
from skad.scoring import IntensityScorer, PyODScorer, SklearnScorer


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(size=(4, 2, 9, 14)).astype(np.float32)
    X[:, 1] += 0.5 * X[:, 0]
    X[:, :, :3, :5] = np.nan
    return X


@pytest.fixture
def pairs(images):
    return np.stack([images, 0.3 * images + 1], axis=1)


def foreground_rows(maps):
    rows = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
    return rows[~np.isnan(rows[:, 0])].astype(np.float64)


def foreground_scores(scorer, X):
    scores = scorer.score_samples(X)
    return scores[~np.isnan(scores)]


@pytest.mark.parametrize(
    "detector",
    [
        GaussianMixture(2, random_state=0),
        KernelDensity(bandwidth=0.5),
        EllipticEnvelope(random_state=0),
        IsolationForest(n_estimators=10, random_state=0),
        LocalOutlierFactor(novelty=True),
        OneClassSVM(nu=0.1),
        PCA(1),
        make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_scores_are_those_of_the_detector_on_the_pixels(images, detector):
    rows = foreground_rows(images)
    expected = detector.fit(rows).score_samples(rows)
    scorer = SklearnScorer(detector, random_state=0).fit(images)
    np.testing.assert_allclose(foreground_scores(scorer, images), expected, rtol=1e-5, atol=1e-6)
    assert scorer.detector_ is not detector


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("residual", lambda P: P[:, 0] - P[:, 1]),
        ("both", lambda P: np.concatenate([P[:, 0], P[:, 0] - P[:, 1]], axis=1)),
    ],
)
def test_of_pairs_the_detector_sees_the_signed_residual(pairs, pair, expected):
    scorer = SklearnScorer(GaussianMixture(), pair=pair, random_state=0).fit(pairs)
    np.testing.assert_array_equal(scorer.transform(pairs), expected(pairs))
    rows = foreground_rows(expected(pairs))
    np.testing.assert_allclose(
        foreground_scores(scorer, pairs), GaussianMixture().fit(rows).score_samples(rows), rtol=1e-4
    )


def patch_by_hand(channels, fill, row, column, size):
    """The square around a pixel, channel by channel, the border mirrored."""
    n_channels, height, width = channels.shape
    mirror = [*range(height)[::-1], *range(height), *range(height)[::-1]]
    mirror_columns = [*range(width)[::-1], *range(width), *range(width)[::-1]]
    patch = np.empty((n_channels, size, size))
    for c, i, j in np.ndindex(patch.shape):
        y, x = mirror[height + row + i - size // 2], mirror_columns[width + column + j - size // 2]
        patch[c, i, j] = fill[c] if np.isnan(channels[c, y, x]) else channels[c, y, x]
    return patch.ravel()


def test_patches_are_the_squares_around_the_pixels(images):
    scorer = SklearnScorer(PCA(2), features="patch", patch_size=5, random_state=0).fit(images)
    maps = scorer.transform(images)
    assert maps.shape == (4, 2 * 25, 9, 14)
    for row, column in np.argwhere(~np.isnan(images[1, 0])):
        expected = patch_by_hand(images[1], scorer.background_, row, column, 5)
        np.testing.assert_allclose(maps[1, :, row, column], expected, rtol=1e-6)


def test_outside_the_foreground_a_residual_patch_holds_zero(pairs):
    scorer = SklearnScorer(PCA(2), features="patch", patch_size=3, random_state=0).fit(pairs)
    assert scorer.transform(pairs)[0, :, 3, 0].reshape(2, 3, 3)[:, 0].tolist() == [[0, 0, 0]] * 2


def test_scores_of_patches_are_those_of_the_detector(images):
    scorer = SklearnScorer(PCA(3), features="patch", patch_size=3, random_state=0).fit(images)
    rows = foreground_rows(scorer.transform(images))
    expected = PCA(3).fit(rows).score_samples(rows)
    np.testing.assert_allclose(foreground_scores(scorer, images), expected, rtol=1e-4)


class Recorder(BaseEstimator):
    """Keeps what it is given, and prefers large sums."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.rows_ = X
        self.drawn_ = self.random_state
        return self

    def decision_function(self, X):
        return X.sum(axis=1)


def test_the_detector_is_fitted_to_a_seeded_bounded_sample(images):
    first, again, other = (
        SklearnScorer(Recorder(), max_pixels=50, random_state=seed).fit(images).detector_
        for seed in (3, 3, 4)
    )
    assert first.rows_.shape == (50, 2)
    assert {*map(tuple, first.rows_)} <= {*map(tuple, foreground_rows(images))}
    np.testing.assert_array_equal(first.rows_, again.rows_)
    assert first.drawn_ == again.drawn_ is not None
    assert not np.array_equal(first.rows_, other.rows_)


def test_a_sample_of_patches_lies_where_the_sample_of_pixels_lies(images):
    fitted = SklearnScorer(Recorder(), features="patch", patch_size=3, max_pixels=50, random_state=3)
    center = fitted.fit(images).detector_.rows_[:, [4, 9 + 4]]
    np.testing.assert_array_equal(
        center, SklearnScorer(Recorder(), max_pixels=50, random_state=3).fit(images).detector_.rows_
    )


def test_scores_in_blocks_are_the_scores(images, monkeypatch):
    scorer = SklearnScorer(GaussianMixture(), random_state=0).fit(images)
    expected = scorer.score_samples(images)
    monkeypatch.setattr("skad.scoring.sklearn_scorer._BLOCK_VALUES", 14)
    np.testing.assert_allclose(scorer.score_samples(images), expected, rtol=1e-6)


def test_decision_functions_of_scikit_learn_are_high_where_normal_and_of_pyod_where_abnormal(images):
    total = images.sum(axis=1)
    np.testing.assert_allclose(SklearnScorer(Recorder()).fit(images).score_samples(images), total, rtol=1e-5)
    np.testing.assert_allclose(PyODScorer(Recorder()).fit(images).score_samples(images), -total, rtol=1e-5)


@pytest.mark.parametrize(("module", "name"), [("hbos", "HBOS"), ("ecod", "ECOD"), ("pca", "PCA")])
def test_pyod_scores_are_minus_those_of_the_detector(images, module, name):
    pytest.importorskip("pyod")
    detector = getattr(importlib.import_module(f"pyod.models.{module}"), name)()
    rows = foreground_rows(images)
    expected = -detector.fit(rows).decision_function(rows)
    scorer = PyODScorer(detector, max_pixels=len(rows), random_state=0).fit(images)
    maps = scorer.score_samples(images)
    if name != "ECOD":  # its scores depend on what is scored together
        np.testing.assert_allclose(maps[~np.isnan(maps)], expected, rtol=1e-4, atol=1e-5)
    X = images.copy()
    X[0, :, 5, 5] = 30
    scores = scorer.score_samples(X)[0]
    assert scores[5, 5] == np.nanmin(scores)


def test_skad_does_not_import_pyod():
    code = "import sys, skad, skad.scoring; print('pyod' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert out.stdout.strip() == "False", out.stderr


@pytest.mark.parametrize(
    "detector", [StandardScaler(), LocalOutlierFactor()], ids=lambda each: type(each).__name__
)
def test_a_detector_that_scores_nothing_new_is_refused(images, detector):
    with pytest.raises(ValueError, match="should have score_samples or decision_function for new data, got"):
        SklearnScorer(detector).fit(images)


def test_an_even_patch_is_refused(images):
    with pytest.raises(ValueError, match="patch_size should be an odd width, got 4"):
        SklearnScorer(PCA(), features="patch", patch_size=4).fit(images)


def test_images_are_refused_after_a_fit_on_pairs(images, pairs):
    with pytest.raises(ValueError, match="SklearnScorer was fitted on pairs, got images"):
        SklearnScorer(GaussianMixture()).fit(pairs).score_samples(images)


@pytest.mark.parametrize(
    ("detector", "trusted"),
    [(EllipticEnvelope(), ()), (PCA(1), ()), (OneClassSVM(), (OneClassSVM,))],
    ids=lambda each: type(each).__name__,
)
def test_a_detector_made_of_arrays_is_saved_and_scores_as_before(images, detector, trusted, tmp_path):
    scorer = SklearnScorer(detector, random_state=0).fit(images)
    skad.save(scorer, tmp_path / "x.skad")
    loaded = skad.load(tmp_path / "x.skad", trusted=trusted)
    np.testing.assert_array_equal(loaded.score_samples(images), scorer.score_samples(images))


def test_trees_are_refused_by_save_with_their_place(images, tmp_path):
    scorer = SklearnScorer(IsolationForest(n_estimators=2), random_state=0).fit(images)
    with pytest.raises(ValueError, match=r"SklearnScorer\.detector_\..*which a skad file cannot hold"):
        skad.save(scorer, tmp_path / "x.skad")


def test_pixels_come_from_the_shared_sampler(images):
    expected = sample_pixels(images, 10_000, np.random.default_rng(0))
    fitted = SklearnScorer(Recorder(), random_state=0).fit(images)
    np.testing.assert_array_equal(fitted.detector_.rows_, expected)


def test_a_scorer_of_slices_needs_no_wrapper():
    with pytest.raises(ValueError, match="IntensityScorer, which takes slices: use it without SklearnScorer"):
        SklearnScorer(IntensityScorer()).fit(np.ones((2, 1, 7, 8), np.float32))
