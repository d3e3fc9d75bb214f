"""Fidelity of references: perfect ones, blurred ones, those of another brain."""

import numpy as np
import pytest

from skad.anatomy import AnatomySegmenter, anatomical_fidelity
from skad.datasets import label_anatomy, make_phantom
from skad.metrics import overlap_score, quality_score
from skad.postprocessing import smooth_foreground
from skad.preprocessing import VolumePreprocessor


@pytest.fixture(scope="module")
def brains():
    """Slices of a phantom and a segmenter trained on two others."""
    volumes = make_phantom(3, shape=(32, 40, 24), lesion=None, contrasts="T1w", random_state=0)
    stack = VolumePreprocessor(size=(40, 32)).fit_transform(label_anatomy(volumes))
    known = stack.groups != "phantom03"
    segmenter = AnatomySegmenter(
        width=8, depth=2, max_epochs=20, batch_size=4, lr=5e-3, augmentation=None, random_state=0
    )
    return segmenter.fit(stack.X[known], stack.y[known]), stack.X[~known]


def fidelity(brains, reference):
    segmenter, X = brains
    return anatomical_fidelity(segmenter, np.stack([X, reference(X)], axis=1))


def test_the_image_itself_is_its_perfect_reference(brains):
    scores = fidelity(brains, lambda X: X)
    np.testing.assert_array_equal(scores["quality_score"], 0)
    np.testing.assert_array_equal(scores["overlap_score"], 1)


def test_blur_costs_quality_and_overlap(brains):
    slight, strong = (fidelity(brains, lambda X, s=s: smooth_foreground(X, s)) for s in (0.7, 1.5))
    # per slice the sign of the quality may be either (K gives means): a segmenter may be surely wrong
    assert strong["quality_score"].mean() < slight["quality_score"].mean() < 0
    assert strong["overlap_score"].mean() < slight["overlap_score"].mean() < 1


def test_scores_are_the_metrics_of_both_segmentations(brains):
    segmenter, X = brains
    reference = smooth_foreground(X, 1.0)
    scores = anatomical_fidelity(segmenter, np.stack([X, reference], axis=1))
    expected = quality_score(segmenter.predict_proba(X), segmenter.predict_proba(reference))
    np.testing.assert_allclose(scores["quality_score"], expected, rtol=1e-5)
    expected = overlap_score(segmenter.predict(X), segmenter.predict(reference))
    np.testing.assert_allclose(scores["overlap_score"], expected)


def test_what_a_reference_says_in_the_background_does_not_matter(brains):
    expected = fidelity(brains, lambda X: smooth_foreground(X, 1.0))
    filled = fidelity(brains, lambda X: np.nan_to_num(smooth_foreground(X, 1.0), nan=9.0))
    for name, values in expected.items():
        np.testing.assert_array_equal(filled[name], values)


def test_a_slice_without_foreground_has_no_score(brains):
    segmenter, X = brains
    X = X[8:10].copy()
    X[1] = np.nan
    for values in anatomical_fidelity(segmenter, np.stack([X, X], axis=1)).values():
        np.testing.assert_array_equal(np.isnan(values), [False, True])


def test_many_slices_are_scored_as_few(brains):
    segmenter, X = brains
    pairs = np.stack([X, smooth_foreground(X, 1.0)], axis=1)
    many = anatomical_fidelity(segmenter, np.concatenate([pairs] * 2))
    for name, values in anatomical_fidelity(segmenter, pairs).items():
        assert len(many[name]) == 2 * len(X) > 32
        np.testing.assert_allclose(many[name], np.tile(values, 2), rtol=1e-3, atol=1e-3)


def test_pairs_that_do_not_fit_are_refused(brains):
    segmenter, X = brains
    with pytest.raises(ValueError, match="pairs should have shape"):
        anatomical_fidelity(segmenter, X)
    with pytest.raises(ValueError, match="2 contrasts, but the estimator was fitted with 1"):
        anatomical_fidelity(segmenter, np.stack([np.repeat(X, 2, axis=1)] * 2, axis=1))
