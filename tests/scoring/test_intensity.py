"""Smoothed intensity: against scipy, and the floor of the real data."""

import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from skad.datasets import load_bids
from skad.preprocessing import VolumePreprocessor
from skad.scoring.gaussian_mixture import MixtureScorer
from skad.scoring.intensity import IntensityScorer, median_foreground


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(size=(3, 2, 9, 14)).astype(np.float32)
    X[:, :, :3, :5] = np.nan
    return X


def test_score_is_minus_the_intensity_of_the_contrast(images):
    scores = IntensityScorer(contrast=1, smoothing=0).fit(images).score_samples(images)
    np.testing.assert_array_equal(scores, -images[:, 1])


def test_dark_is_abnormal_with_the_other_sign(images):
    bright, dark = (IntensityScorer(sign=sign).fit(images).score_samples(images) for sign in (1, -1))
    np.testing.assert_array_equal(bright, -dark)


def test_smoothing_is_scipys_where_there_is_no_background():
    X = np.random.default_rng(1).normal(size=(2, 1, 20, 24)).astype(np.float32)
    scores = IntensityScorer(smoothing=1.5).fit(X).score_samples(X)
    expected = -gaussian_filter(X[:, 0], (0, 1.5, 1.5))
    inner = np.s_[:, 7:-7, 7:-7]
    np.testing.assert_allclose(scores[inner], expected[inner], rtol=0, atol=1e-5)


def test_smoothing_does_not_let_the_background_in(images):
    constant = np.where(np.isnan(images), np.nan, np.float32(3))
    scores = IntensityScorer().fit(constant).score_samples(constant)
    np.testing.assert_allclose(scores[~np.isnan(images[:, 0])], -3, rtol=1e-6)


def test_median_is_scipys_where_there_is_no_background(images):
    whole = np.nan_to_num(images[:, 0])
    expected = np.stack([median_filter(image, size=5) for image in whole])
    inner = np.s_[:, 2:-2, 2:-2]
    np.testing.assert_array_equal(median_foreground(whole, 5)[inner], expected[inner])


def test_median_leaves_out_the_background(images):
    filtered = median_foreground(images, 3)
    assert filtered[0, 1, 3, 3] == np.nanmedian(images[0, 1, 2:5, 2:5])
    assert filtered[0, 1, 8, 13] == np.nanmedian(images[0, 1, 7:, 12:])
    np.testing.assert_array_equal(np.isnan(filtered), np.isnan(images))


def test_median_comes_before_the_gaussian(images):
    scorer = IntensityScorer(median=3).fit(images)
    plain = IntensityScorer().fit(images)
    expected = plain.score_samples(median_foreground(images, 3))
    np.testing.assert_array_equal(scorer.score_samples(images), expected)


@pytest.mark.parametrize("parameters", [{"contrast": 2}, {"median": 4}])
def test_what_cannot_be_is_refused(images, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=name):
        IntensityScorer(**parameters).fit(images)


@pytest.fixture(scope="module")
def glioma(real_data):
    """Preprocessed slices of the glioma cohort, and which are of validation patients."""
    volumes = load_bids(real_data / "glioma", contrasts=("T1w", "FLAIR", "ce-gadolinium_T1w"))
    stack = VolumePreprocessor(size=(128, 128)).fit_transform(volumes)
    fold = np.array([volumes[i].info["fold"] for i in stack.volume_index])
    return stack, fold == "validation"


def _measures(y, anomaly):
    """AUC, average precision and best Dice by scikit-learn."""
    foreground = ~np.isnan(anomaly)
    truth, score = y[foreground] > 0, anomaly[foreground]
    precision, recall, _ = precision_recall_curve(truth, score)
    with np.errstate(invalid="ignore"):
        dice = np.nanmax(2 * precision * recall / (precision + recall))
    return [roc_auc_score(truth, score), average_precision_score(truth, score), dice]


# The floors were measured when the data were prepared; a detector that learns has to beat them.
@pytest.mark.parametrize(("smoothing", "floor"), [(1.5, [0.912, 0.525, 0.626]), (0.0, [0.893, 0.440, 0.592])])
def test_flair_intensity_gives_the_floor_of_the_real_data(glioma, smoothing, floor):
    stack, validation = glioma
    X, y = stack.X[validation], stack.y[validation]
    scorer = IntensityScorer(contrast=1, smoothing=smoothing).fit(X)
    assert _measures(y, -scorer.score_samples(X)) == pytest.approx(floor, abs=6e-4)


def test_mixture_gives_the_floor_of_the_real_data(glioma):
    stack, validation = glioma
    normal = ~stack.y.any(axis=(1, 2)) & ~validation
    scorer = MixtureScorer(max_pixels=20_000, random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not converge")
        scorer.fit(stack.X[normal])
    X, y = stack.X[validation], stack.y[validation]
    measures = _measures(y, -scorer.score_samples(X))
    assert measures[:2] == pytest.approx([0.855, 0.247], abs=0.02)  # local optima differ
