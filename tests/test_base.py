"""The two kinds of estimators and the pair between them."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, is_outlier_detector
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skad.base import PixelScorerMixin, takes_neighbors, takes_pairs
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import IntensityScorer, ResidualScorer
from skad.utils import out_of_core
from skad.utils.estimator_checks.data import ALL_BACKGROUND, as_pairs, make_check_images
from skad.utils.out_of_core import is_on_disk

from .tiny_estimators import TinyDistance, TinyReconstructor, TinyResidual

VOLUMES = [Volume({"T1w": np.arange(504.0).reshape(7, 8, 9)}, np.eye(4))]


@pytest.fixture
def images():
    return make_check_images()


@pytest.fixture
def reconstructor(images):
    return TinyReconstructor(random_state=0, max_epochs=1).fit(images)


@pytest.fixture
def on_disk(tmp_path, monkeypatch):
    """600 slices (2.3 MB) in a float64 memory map, read 32 at a time."""
    monkeypatch.setattr(out_of_core, "_CHUNK", 32)
    np.save(tmp_path / "X.npy", np.tile(make_check_images(), (100, 1, 1, 1)).astype(np.float64))
    return np.load(tmp_path / "X.npy", mmap_mode="r")


def test_tags_tell_what_goes_in():
    kinds = [
        (get_tags(each()).input_tags.images, takes_pairs(each()))
        for each in (TinyReconstructor, TinyResidual, TinyDistance)
    ]
    assert kinds == [(True, False), (False, True), (True, True)]


def test_neighbors_are_taken_by_what_says_so_or_begins_with_it():
    translator, residual = ContrastTranslator(), ResidualScorer()
    assert takes_neighbors(translator) and takes_neighbors(make_pipeline(translator, residual))
    assert not takes_pairs(translator)
    assert not takes_neighbors(residual) and not takes_neighbors(make_pipeline(StandardScaler(), residual))


def test_estimators_of_others_take_no_pairs():
    assert not takes_pairs(StandardScaler())


def test_scorers_are_outlier_detectors_for_scikit_learn():
    assert is_outlier_detector(TinyResidual()) and not is_outlier_detector(TinyReconstructor())


def test_y_is_never_required():
    assert not get_tags(TinyResidual()).target_tags.required


def test_background_is_the_darkest_foreground_value_of_every_contrast(images, reconstructor):
    assert_array_equal(reconstructor.background_, np.nanmin(images, axis=(0, 2, 3)))


def test_what_the_network_says_in_the_background_does_not_matter(images, reconstructor):
    reconstructor._reconstruct = lambda X: np.full_like(X, 7.0)
    reference = reconstructor.reconstruct(images)
    assert_array_equal(reference, np.where(np.isnan(images), np.nan, 7.0))


def test_score_of_a_reconstructor_is_minus_the_mean_absolute_residual(images, reconstructor):
    reconstructor._reconstruct = lambda X: X + np.array([1.0, -3.0])[:, None, None]
    scores = reconstructor.score_samples(images)
    assert_allclose(scores[~np.isnan(images[:, 0])], -2.0, atol=1e-6)


def test_missing_contrast_counts_as_zero_residual(images):
    class Lenient(TinyReconstructor):
        _missing_contrast = True

        def _reconstruct(self, X):
            return np.nan_to_num(X) + 1

    fitted = Lenient(random_state=0, max_epochs=1).fit(images)
    images[0, 1] = np.nan
    assert_allclose(np.nanmax(fitted.score_samples(images)[0]), -0.5, rtol=1e-6)


def test_warm_start_on_other_contrasts_says_what_to_do(images):
    fitted = TinyReconstructor(warm_start=True, max_epochs=1).fit(images)
    with pytest.raises(ValueError, match="2 contrasts, got 3; set warm_start=False"):
        fitted.fit(make_check_images(n_contrasts=3))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_offset_leaves_the_contamination_below_it(images, share):
    fitted = TinyResidual(contamination=share).fit(as_pairs(images))
    scores = fitted.score_samples(as_pairs(images))
    assert fitted.offset_ == pytest.approx(np.nanquantile(scores, share))


def test_offset_of_many_slices_comes_from_an_even_sample(images):
    pairs = np.tile(as_pairs(images), (60, 1, 1, 1, 1))
    few, many = (TinyResidual(contamination=0.1).fit(P) for P in (as_pairs(images), pairs))
    assert many.offset_ == pytest.approx(few.offset_, rel=0.05)


@given(st.floats(-5, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_predict_is_the_sign_of_the_decision_and_zero_in_the_background(offset, seed):
    pairs = as_pairs(make_check_images(2, seed=seed))
    fitted = TinyResidual().fit(pairs)
    fitted.offset_ = offset
    decision = fitted.score_samples(pairs) - np.float32(offset)
    expected = np.where(np.isnan(decision), 0, np.where(decision < 0, -1, 1))
    assert_array_equal(fitted.predict(pairs), expected)
    assert_array_equal(fitted.decision_function(pairs), decision)


def test_reconstructor_and_scorer_join_in_a_pipeline(images, reconstructor):
    pipeline = make_pipeline(TinyReconstructor(random_state=0, max_epochs=1), TinyResidual()).fit(images)
    pairs = reconstructor.transform(images)
    assert_array_equal(pipeline.score_samples(images), TinyResidual().fit(pairs).score_samples(pairs))
    assert set(np.unique(pipeline.predict(images))) == {-1, 0, 1}


def test_all_background_slices_pass_through_the_whole_pipeline(images):
    pipeline = make_pipeline(TinyReconstructor(random_state=0), TinyResidual()).fit(images)
    assert np.isnan(pipeline.score_samples(images)[ALL_BACKGROUND]).all()


@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_samples"])
def test_reconstructor_gives_the_same_from_disk_and_on_disk(on_disk, reconstructor, method):
    from_disk = getattr(reconstructor, method)(on_disk)
    assert is_on_disk(from_disk)
    assert_array_equal(from_disk, getattr(reconstructor, method)(np.array(on_disk)))


@pytest.mark.parametrize("method", ["transform", "score_samples", "predict"])
def test_scorer_gives_the_same_from_disk(on_disk, reconstructor, method):
    pairs = reconstructor.transform(on_disk)
    from_disk = getattr(TinyResidual().fit(pairs), method)(pairs)
    in_memory = getattr(TinyResidual().fit(np.array(pairs)), method)(np.array(pairs))
    assert_allclose(from_disk, in_memory, rtol=1e-5)


def peak_of(function):
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_pairs_of_a_memory_map_never_lie_in_memory(on_disk, reconstructor):
    reconstructor._reconstruct = lambda X: X
    assert peak_of(lambda: reconstructor.transform(on_disk)) < on_disk.nbytes / 4  # the pairs' size


def test_fit_on_a_memory_map_never_holds_it(on_disk):
    estimator = TinyReconstructor(max_epochs=1, batch_size=8)
    estimator.fit(on_disk[:16])  # what is allocated once
    assert peak_of(lambda: estimator.fit(on_disk)) < on_disk.nbytes / 8


def test_names_of_contrasts_have_to_fit(reconstructor):
    assert list(reconstructor.get_feature_names_out()) == ["contrast0", "contrast1"]
    with pytest.raises(ValueError, match="should name 2 contrasts, got 3"):
        reconstructor.get_feature_names_out(["a", "b", "c"])


def test_a_reconstructor_behind_a_scorer_is_refused_with_the_remedy():
    X = np.random.default_rng(0).normal(size=(4, 2, 7, 8)).astype(np.float32)
    wrong = make_pipeline(IntensityScorer(smoothing=0), ContrastTranslator(width=2, n_blocks=0, max_epochs=1))
    with pytest.raises(ValueError, match=r"put it before the scorer, as in make_pipeline\(ContrastTrans"):
        wrong.fit(X)


def test_features_that_a_scorer_hands_on_are_those_of_transform():
    X = np.random.default_rng(0).normal(size=(4, 2, 7, 8)).astype(np.float32)
    scorer = IntensityScorer(smoothing=0)
    np.testing.assert_array_equal(scorer.fit_transform(X), scorer.transform(X))


def test_features_of_a_scorer_that_names_none_are_its_score():
    class Dark(PixelScorerMixin, BaseEstimator):
        contamination = 0.1
        _accepts = "images"

        def fit(self, X, y=None):
            return self._fit_offset(self._check_fit_input(X))

        def _score(self, X):
            return X[:, 0]

    X = np.random.default_rng(0).normal(size=(4, 2, 7, 8)).astype(np.float32)
    scorer = Dark().fit(X)
    np.testing.assert_array_equal(scorer.transform(X), scorer.score_samples(X)[:, None])


@pytest.mark.parametrize(
    ("estimator", "shape", "remedy"),
    [
        (ResidualScorer(), (4, 2, 7, 8), r"put a reconstructor before this scorer"),
        (ContrastTranslator(), (4, 2, 2, 7, 8), r"leave out the reconstructor"),
        (ContrastTranslator(), (4, 7, 8), r"X\[:, np.newaxis\]"),
        (IntensityScorer(), (4, 7), r"not a table of pixels"),
    ],
)
def test_an_error_of_shape_says_what_to_put_where(estimator, shape, remedy):
    with pytest.raises(ValueError, match=remedy):
        estimator.fit(np.ones(shape, np.float32))


def test_a_second_scorer_is_refused_with_the_remedy():
    X = np.random.default_rng(0).normal(size=(4, 2, 7, 8)).astype(np.float32)
    with pytest.raises(ValueError, match="one scorer, at its end; EnsembleScorer"):
        make_pipeline(IntensityScorer(smoothing=0), ResidualScorer()).fit(X)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (
            VolumePreprocessor(intensity=None, size=(7, 8)).fit_transform(VOLUMES),
            "got SliceStack: give its .X",
        ),
        (VOLUMES, "got list: VolumePreprocessor makes slices"),
    ],
)
def test_what_is_no_array_is_refused_with_the_remedy(given, remedy):
    with pytest.raises(ValueError, match=remedy):
        ContrastTranslator().fit(given)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (VOLUMES[0], "got Volume: put a single volume into a list"),
        ([], "got an empty list: read scans"),
        (np.ones((3, 1, 7, 8)), "got ndarray: slices go to reconstructors and scorers"),
        ("scans", "got str: read scans with skad.datasets.load_bids"),
    ],
)
def test_what_is_no_list_of_volumes_is_refused_with_the_remedy(given, remedy):
    with pytest.raises(ValueError, match=remedy):
        VolumePreprocessor().fit(given)
