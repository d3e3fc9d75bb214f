"""Lesion-wise scores against a count by hand, on masks that can be drawn in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skad.metrics import lesionwise_scores, panoptic_quality

MASKS = arrays(bool, (3, 4, 5))


def mask(text):
    return np.array([[character != "." for character in text]])


def test_every_lesion_and_every_detection_counts_once():
    scores = lesionwise_scores(mask("##..##..#..."), mask("#......##.#."[:12]), dilation=0)
    assert (scores["n_lesions"], scores["n_found"], scores["n_false_positives"]) == (3, 2, 1)
    assert scores["lesion_recall"] == pytest.approx(2 / 3) == scores["lesion_precision"]
    assert scores["lesion_f1"] == pytest.approx(4 / 6)
    assert scores["lesion_dice"] == pytest.approx((2 / 3 + 2 * 1 / 3) / 4)


def test_dilation_joins_a_lesion_with_gaps_and_finds_it_from_beside():
    truth, predicted = mask("#..#......"), mask("....#....#")
    assert lesionwise_scores(truth, predicted, dilation=0)["n_lesions"] == 2
    scores = lesionwise_scores(truth, predicted, dilation=1)
    assert (scores["n_lesions"], scores["n_found"], scores["n_false_positives"]) == (1, 1, 1)
    assert scores["lesion_dice"] == 0


def test_what_touches_a_lesion_that_is_too_small_counts_neither_way():
    scores = lesionwise_scores(mask("#...###."), mask("##..#..."), dilation=0, min_size=2)
    assert (scores["n_lesions"], scores["n_found"], scores["n_false_positives"]) == (1, 1, 0)


def test_without_lesions_there_are_only_false_positives():
    scores = lesionwise_scores(mask("...."), mask("#.#."))
    assert scores["n_false_positives"] == 2 and scores["lesion_f1"] == 0
    assert np.isnan([scores["lesion_recall"], scores["lesion_dice"]]).all()
    assert np.isnan(lesionwise_scores(mask("...."), mask("...."))["lesion_f1"])


@given(MASKS)
def test_a_mask_agrees_with_itself(truth):
    scores = lesionwise_scores(truth, truth) | panoptic_quality(truth, truth)
    expected = 1 if truth.any() else float("nan")
    for name in ("lesion_recall", "lesion_f1", "lesion_dice", "panoptic_quality"):
        np.testing.assert_equal(scores[name], expected)


@given(MASKS, MASKS, st.integers(0, 2))
def test_counts_fit_together(truth, predicted, dilation):
    scores = lesionwise_scores(truth, predicted, dilation=dilation)
    assert 0 <= scores["n_found"] <= scores["n_lesions"]
    assert np.isnan(scores["lesion_dice"]) or 0 <= scores["lesion_dice"] <= 1
    assert np.isnan(scores["lesion_recall"]) == (not truth.any())


def test_panoptic_quality_is_recognition_times_segmentation():
    """Two of three lesions are matched, with intersections over union of 3/4 and 1; two are no match."""
    truth = mask("####..##..##.....")
    predicted = mask("###...##....#..#.")
    found = panoptic_quality(truth, predicted)
    assert found["recognition_quality"] == pytest.approx(2 * 2 / (3 + 4))
    assert found["segmentation_quality"] == pytest.approx((3 / 4 + 1) / 2)
    assert found["panoptic_quality"] == pytest.approx(4 / 7 * 7 / 8)


def test_shapes_and_options_are_checked():
    with pytest.raises(ValueError, match="one shape"):
        panoptic_quality(np.zeros((3, 4)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"min_iou should be in \[0.5, 1\), got 0.4"):
        panoptic_quality(mask("#"), mask("#"), min_iou=0.4)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        lesionwise_scores(mask("#"), mask("#"), dilation=-1)
