"""Slices, views and folds of a study's protocol."""

import numpy as np
import pytest

from skad.benchmark.folds import check_folds, split_volumes
from skad.benchmark.protocol import central_slices, views_of
from skad.datasets import make_phantom
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor

AUGMENTATION = {
    "class": "Augmentation",
    "geometry": {"class": "Geometry", "flip": True, "translation": 0.1},
}


def test_the_neighboring_slices_with_the_most_foreground_are_taken():
    volumes = make_phantom(2, shape=(20, 24, 12), random_state=0)
    stack = VolumePreprocessor(size=(24, 20)).fit_transform(volumes)
    rows = central_slices(stack, 4)
    for index in (0, 1):
        of_volume = np.flatnonzero(stack.volume_index == index)
        taken = rows[stack.volume_index[rows] == index]
        areas = (~np.isnan(stack.X[:, 0])).sum(axis=(1, 2))
        assert np.array_equal(np.diff(taken), [1, 1, 1])
        best = max(areas[of_volume[i : i + 4]].sum() for i in range(len(of_volume) - 3))
        assert areas[taken].sum() == best
    assert np.array_equal(central_slices(stack, 99), np.arange(len(stack)))


def test_the_first_view_is_the_slices_and_labels_move_with_the_images():
    X = np.full((3, 1, 9, 11), np.nan, np.float32)
    X[:, :, 1:8, 2:9] = 1.0
    y = np.zeros((3, 9, 11), np.int16)
    y[:, 3:6, 3:5] = 2
    X[:, 0][y > 0] = 5.0
    images, labels = views_of(X, y, 3, AUGMENTATION)
    np.testing.assert_array_equal(images[:3], X)
    np.testing.assert_array_equal(labels[:3], y)
    assert images.shape == (9, 1, 9, 11) and labels.dtype == y.dtype
    bright = np.nan_to_num(images[3:, 0]) > 3
    moved = labels[3:] > 0
    assert 2 * (bright & moved).sum() / (bright.sum() + moved.sum()) > 0.7
    assert not labels[np.isnan(images[:, 0])].any() and not np.array_equal(images[3:6], images[:3])


def test_views_are_the_same_at_every_call():
    X, y = np.random.default_rng(0).normal(size=(2, 1, 8, 9)), np.zeros((2, 8, 9), np.int16)
    first, second = (views_of(X, y, 2, AUGMENTATION)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_patients_to_choose_on_are_not_judged_on():
    volumes = [
        Volume({"T1w": np.ones((3, 3, 3))}, np.eye(4), subject=f"{i}", info={"fold": "ab"[i > 2]})
        for i in range(9)
    ]
    found = split_volumes(volumes, {"column": "fold", "train": "a", "test": "b", "chosen_on": 2, "seed": 1})
    names = {fold: {v.subject for v in members} for fold, members in found.items()}
    assert len(names["validation"]) == 2 and not names["validation"] & names["test"]
    assert names["validation"] | names["test"] == {"3", "4", "5", "6", "7", "8"}


def test_training_patients_can_be_held_out():
    volumes = [
        Volume({"T1w": np.ones((3, 3, 3))}, np.eye(4), subject=f"{i}", info={"fold": "ab"[i > 4]})
        for i in range(7)
    ]
    folds = {"column": "fold", "train": "a", "test": "b", "held_out": 2}
    found = split_volumes(volumes, check_folds("x", folds))
    names = {fold: [v.subject for v in members] for fold, members in found.items()}
    assert names == {"train": ["0", "1", "2"], "validation": ["3", "4"], "test": ["5", "6"]}
    with pytest.raises(ValueError, match="one of validation, held_out and chosen_on"):
        check_folds("x", folds | {"validation": "c"})
