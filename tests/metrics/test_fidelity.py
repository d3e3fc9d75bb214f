import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy
from sklearn.metrics import f1_score

from skad.metrics import overlap_score, quality_score


def probabilities(seed, scale=1.0):
    return softmax(scale * np.random.default_rng(seed).normal(size=(2, 4, 5, 7)), axis=1)


def one_hot(labels, n_classes):
    return np.moveaxis(np.eye(n_classes)[labels], -1, 1)


def test_uniform_reference_of_a_certain_image_costs_log_k_per_pixel():
    sharp = one_hot(np.random.default_rng(0).integers(0, 3, size=(2, 5, 7)), 3)
    np.testing.assert_allclose(quality_score(sharp, np.full_like(sharp, 1 / 3)), [-35 * np.log(3)] * 2)


def test_quality_equals_scipys_entropies_summed_over_pixels():
    x, reference = probabilities(0, scale=3), probabilities(1)
    expected = (entropy(x, axis=1) - entropy(reference, axis=1)).sum(axis=(1, 2))
    np.testing.assert_allclose(quality_score(x, reference), expected)


def test_quality_leaves_background_out():
    x, reference = probabilities(0, scale=3), probabilities(1)
    expected = (entropy(x, axis=1) - entropy(reference, axis=1))[:, 2:].sum(axis=(1, 2))
    x[:, :, :2], reference[:, :, :2] = np.nan, np.nan
    np.testing.assert_allclose(quality_score(x, reference), expected)


def test_quality_of_half_precision_is_accepted():
    x, reference = probabilities(0), probabilities(1)
    halves = quality_score(x.astype(np.float16), reference.astype(np.float16))
    np.testing.assert_allclose(halves, quality_score(x, reference), atol=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[:, :, :2], r"one shape.*\(2, 4, 5, 7\) and \(2, 4, 2, 7\)"),
        (lambda p: p * 2, "probabilities_of_reference should .* sum is 2: give the softmax"),
        (lambda p: np.log(p), "give the softmax"),
        (lambda p: np.where(np.arange(7) > 5, np.nan, p), "10 pixels that are background in only one"),
        (lambda p: np.where(np.arange(4)[:, None, None] == 1, np.nan, p), "NaN in all of them"),
    ],
)
def test_quality_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        quality_score(probabilities(0), change(probabilities(1)))


def test_overlap_is_the_mean_f1_of_the_classes_in_the_image():
    rng = np.random.default_rng(0)
    labels, reference = rng.integers(0, 3, size=(2, 5, 7)), rng.integers(0, 5, size=(2, 5, 7))
    expected = [
        f1_score(a.ravel(), b.ravel(), labels=np.unique(a), average="macro")
        for a, b in zip(labels, reference, strict=True)
    ]
    np.testing.assert_allclose(overlap_score(labels, reference), expected)


def test_classes_of_the_reference_alone_do_not_count():
    # Class 1: 2 * 1 / (2 + 1); class 3 appears in the reference only.
    assert overlap_score(np.array([[[1, 1]]]), np.array([[[1, 3]]])) == pytest.approx([2 / 3])


@pytest.mark.parametrize("background", [-1, np.nan])
def test_overlap_leaves_background_out(background):
    labels, reference = np.array([[[background, 1, 2]]]), np.array([[[background, 1, 2]]])
    np.testing.assert_array_equal(overlap_score(labels, reference), [1])


def test_overlap_of_an_image_without_foreground_is_nan():
    np.testing.assert_array_equal(overlap_score(-np.ones((1, 2, 3)), -np.ones((1, 2, 3))), [np.nan])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (np.ones((1, 2, 2)), r"got \(1, 2, 3\) and \(1, 2, 2\)"),
        (-np.ones((1, 2, 3)), "6 pixels that are background in only one"),
    ],
)
def test_overlap_refuses(reference, message):
    with pytest.raises(ValueError, match=message):
        overlap_score(np.ones((1, 2, 3)), reference)
