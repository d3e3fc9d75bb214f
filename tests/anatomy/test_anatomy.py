"""A classifier of pixels: what it learns, what it leaves out, and the contract of an estimator."""

import pickle

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_score

import skad
from skad.anatomy import AnatomySegmenter
from skad.anatomy.anatomy import segmentation_loss

FAST = {"width": 4, "depth": 1, "max_epochs": 1, "batch_size": 4, "lr": 1e-2, "random_state": 0}


@pytest.fixture
def slices():
    """Random slices with a corner of background, and labels 3 and 7."""
    X = np.random.default_rng(0).normal(size=(6, 2, 13, 10)).astype(np.float32)
    y = np.where(X[:, 0] > 0, 7, 3)
    X[:, :, :3, :5] = np.nan
    return X, y


@pytest.fixture
def fitted(slices):
    return AnatomySegmenter(**FAST).fit(*slices)


def toy(n, seed, height=24, width=20):
    """Blobs brighter than their surroundings; bright is class 1 on the left half, class 2 on the right."""
    rng = np.random.default_rng(seed)
    bright = gaussian_filter(rng.normal(size=(n, height, width)), (0, 3, 3)) > 0
    X = (2 * bright + rng.normal(0, 0.2, bright.shape))[:, None].astype(np.float32)
    ramp = np.broadcast_to(np.linspace(-1, 1, width), bright.shape)[:, None]
    y = np.where(bright, np.where(np.arange(width) < width // 2, 1, 2), 0)
    return np.concatenate([X, ramp], axis=1).astype(np.float32), y


def test_it_learns_intensity_and_place():
    segmenter = AnatomySegmenter(
        width=8, depth=2, max_epochs=15, batch_size=8, lr=1e-2, augmentation=None, random_state=0
    )
    segmenter.fit(*toy(16, 0))
    X, y = toy(8, 1)
    dice = f1_score(y.ravel(), segmenter.predict(X).ravel(), average=None)
    assert (dice > 0.95).all()
    assert segmenter.score(X, y) == pytest.approx(dice.mean())


def test_score_ignores_background_and_unlabeled_pixels(fitted, slices):
    X, y = slices
    y = y.copy()
    y[:, -2:] = -1
    known = ~np.isnan(X[:, 0]) & (y >= 0)
    expected = f1_score(y[known], fitted.predict(X)[known], average="macro")
    assert fitted.score(X, y) == pytest.approx(expected)


def test_classes_are_the_labels_in_the_foreground(slices):
    X, y = slices
    y = y.copy()
    y[:, 0, 0], y[:, -1, -1] = 11, -4  # background, unlabeled
    np.testing.assert_array_equal(AnatomySegmenter(**FAST).fit(X, y).classes_, [3, 7])


def test_labels_of_background_and_negative_labels_teach_nothing(slices):
    X, y = slices
    other, hidden = y.copy(), y.copy()
    other[:, :3, :5] = 7
    hidden[:, -4:] = -1
    weights = [AnatomySegmenter(**FAST).fit(X, labels).module_.head.weight for labels in (y, other, hidden)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_probabilities_add_up_and_predict_is_their_largest(fitted, slices):
    X, _ = slices
    probabilities, labels, foreground = fitted.predict_proba(X), fitted.predict(X), ~np.isnan(X[:, 0])
    assert probabilities.shape == (6, 2, 13, 10) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1)[foreground], 1, rtol=1e-5)
    np.testing.assert_array_equal(np.isnan(probabilities).all(axis=1), ~foreground)
    np.testing.assert_array_equal(np.isnan(probabilities).any(axis=1), ~foreground)
    expected = fitted.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(labels, np.where(foreground, expected, -1))
    assert set(np.unique(labels)) == {-1, 3, 7}


def test_a_slice_without_foreground_is_all_background(fitted, slices):
    X = np.array(slices[0])
    X[2] = np.nan
    assert (fitted.predict(X)[2] == -1).all() and np.isnan(fitted.predict_proba(X)[2]).all()
    np.testing.assert_array_equal(AnatomySegmenter(**FAST).fit(X, slices[1]).classes_, [3, 7])


def test_loss_takes_labels_by_class_and_leaves_out_background_and_unlabeled_pixels():
    classes, foreground = torch.tensor([2, 5, 9]), torch.ones(1, 1, 2, 4, dtype=torch.bool)
    foreground[..., 1, 0] = False
    labels = torch.tensor([[[2, 5, 9, -1], [5, 2, 9, -7]]])
    logits = torch.randn(1, 3, 2, 4, generator=torch.Generator().manual_seed(0))

    def network(images):
        return logits

    losses = segmentation_loss(network, None, foreground, labels, classes=classes, gamma=0.0)
    log_p = logits[0].double().log_softmax(dim=0)
    counted = [(0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 1, 1), (2, 1, 2)]  # index of the class, row, column
    expected = -np.mean([float(log_p[each]) for each in counted])
    assert float(losses["focal_loss"]) == pytest.approx(expected, rel=1e-5)


def test_optimizer_has_the_rates_asked_for(fitted):
    (optimizer,) = fitted.set_params(lr=0.3, weight_decay=0.2)._adamw(fitted.module_).values()
    assert isinstance(optimizer, torch.optim.AdamW)
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (0.3, 0.2)


def test_defaults_are_the_papers():
    segmenter = AnatomySegmenter()
    names = ("lr", "weight_decay", "batch_size", "max_epochs")
    assert [getattr(segmenter, name) for name in names] == [1e-5, 1e-5, 100, 1000]
    views = segmenter._views()
    assert (
        views.geometry.rotation > 0 and not views.geometry.flip
    )  # a mirror image has its left eye on the right


def test_loss_is_dice_plus_focal_of_every_epoch(slices):
    history = AnatomySegmenter(**FAST).set_params(max_epochs=3).fit(*slices).history_
    assert {len(values) for values in history.values()} == {3}
    np.testing.assert_allclose(
        history["loss"], np.add(history["dice_loss"], history["focal_loss"]), rtol=1e-6
    )


def test_it_is_a_classifier_that_scikit_learn_can_validate(slices):
    assert is_classifier(AnatomySegmenter())
    scores = cross_val_score(
        AnatomySegmenter(**FAST), *slices, groups=[0, 0, 1, 1, 2, 2], cv=GroupKFold(3), error_score="raise"
    )
    assert scores.shape == (3,) and ((scores >= 0) & (scores <= 1)).all()


def test_clone_and_params_round_trip(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params() and not hasattr(copy, "classes_")


def test_same_seed_same_result_and_nothing_of_the_caller_changes(fitted, slices):
    X, y = slices
    before, state = [X.copy(), y.copy(), fitted.get_params()], torch.get_rng_state()
    again = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(before[0], X)
    np.testing.assert_array_equal(before[1], y)
    assert again.get_params() == before[2]
    assert torch.equal(state, torch.get_rng_state())


def test_pickle_and_file_round_trip(fitted, slices, tmp_path):
    skad.save(fitted, tmp_path / "x.skad")
    for copy in (pickle.loads(pickle.dumps(fitted)), skad.load(tmp_path / "x.skad")):
        np.testing.assert_array_equal(copy.predict_proba(slices[0]), fitted.predict_proba(slices[0]))
        np.testing.assert_array_equal(copy.classes_, fitted.classes_)


def test_memory_maps_and_read_only_arrays_give_the_same(fitted, slices, tmp_path):
    maps = []
    for name, values in zip("Xy", slices, strict=True):
        np.save(tmp_path / f"{name}.npy", values)
        maps.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    frozen = [values.copy() for values in slices]
    for values in frozen:
        values.flags.writeable = False
    for X, y in (maps, frozen):
        again = clone(fitted).fit(X, y)
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(slices[0]))
        np.testing.assert_array_equal(again.predict(X), fitted.predict(slices[0]))


def test_slices_do_not_depend_on_each_other(fitted, slices):
    X, _ = slices
    np.testing.assert_allclose(fitted.predict_proba(X[[4, 1]]), fitted.predict_proba(X)[[4, 1]], atol=1e-5)


def test_unfitted_use_is_told(slices):
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError):
            getattr(AnatomySegmenter(), method)(slices[0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda y: y[:, :5], r"shape \(6, 13, 10\), got int64 of shape \(6, 5, 10\)"),
        (lambda y: y.astype(float), "an integer for every pixel.*got float64"),
        (lambda y: np.full_like(y, 3), r"at least two classes.*got \[3\]"),
        (lambda y: np.full_like(y, -1), r"at least two classes.*got \[\]"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(slices, labels, message):
    with pytest.raises(ValueError, match=message):
        AnatomySegmenter(**FAST).fit(slices[0], labels(slices[1]))


def test_images_that_do_not_fit_are_refused(fitted, slices):
    with pytest.raises(ValueError, match="1 contrasts, but the estimator was fitted with 2"):
        fitted.predict(slices[0][:, :1])


def test_warm_start_goes_on_with_the_same_classes_only(slices):
    X, y = slices
    segmenter = AnatomySegmenter(**FAST, warm_start=True).fit(X, y)
    before = segmenter.module_.head.weight.clone()
    segmenter.set_params(lr=1e-9).fit(X, y)
    torch.testing.assert_close(segmenter.module_.head.weight, before)
    with pytest.raises(ValueError, match=r"classes \[3, 7\], got \[3, 8\]"):
        segmenter.fit(X, np.where(y == 7, 8, y))
