"""Patients fall into folds whole."""

import numpy as np
import pytest

from skad.benchmark.folds import check_folds, split_volumes
from skad.io import Volume


def volumes(n, sessions=1):
    image = {"T1w": np.ones((2, 3, 4))}
    return [
        Volume(image, np.eye(4), subject=f"sub-{i:02d}", info={"fold": "ab"[i % 2]})
        for i in range(n)
        for _ in range(sessions)
    ]


def names(part):
    return {volume.subject for volume in part}


def test_counts_draw_whole_patients_and_the_same_ones_every_time():
    folds = {"train": 4, "validation": 1, "test": 2, "seed": 3}
    first, again = (
        split_volumes(volumes(8, sessions=2), folds),
        split_volumes(volumes(8, sessions=2)[::-1], folds),
    )
    assert {fold: len(names(part)) for fold, part in first.items()} == {
        "train": 4,
        "validation": 1,
        "test": 2,
    }
    assert len(set.union(*map(names, first.values()))) == 7
    assert all(len(part) == 2 * len(names(part)) for part in first.values())
    assert {fold: names(part) for fold, part in again.items()} == {f: names(p) for f, p in first.items()}


def test_another_seed_draws_other_patients():
    drawn = [split_volumes(volumes(12), {"train": 6, "test": 6, "seed": seed}) for seed in range(5)]
    assert len({frozenset(names(each["train"])) for each in drawn}) > 1


def test_a_column_names_the_fold():
    split = split_volumes(volumes(5), {"column": "fold", "train": "a", "test": "b"})
    assert names(split["train"]) == {"sub-00", "sub-02", "sub-04"} and names(split["test"]) == {
        "sub-01",
        "sub-03",
    }


@pytest.mark.parametrize(
    "folds, message",
    [
        ({"train": 4, "test": 2}, r"6 patients .* but there are 5"),
        ({"column": "fold", "train": "a", "test": "c"}, "test .*has no patient"),
    ],
)
def test_folds_without_patients_are_told(folds, message):
    with pytest.raises(ValueError, match=message):
        split_volumes(volumes(5), folds)


def test_a_fold_may_have_several_values_of_a_column():
    cohort = [
        Volume({"T1w": np.ones((2, 3, 4))}, np.eye(4), subject=f"sub-{i}", info={"site": "abc"[i % 3]})
        for i in range(7)
    ]
    found = split_volumes(cohort, check_folds("x", {"column": "site", "train": ["a", "c"], "test": "b"}))
    assert names(found["train"]) == {f"sub-{i}" for i in (0, 2, 3, 5, 6)}
    assert names(found["test"]) == {"sub-1", "sub-4"}


@pytest.mark.parametrize(
    "folds",
    [{"column": "site", "train": ["a", 2], "test": "b"}, {"train": [3], "test": 2}],
)
def test_values_of_a_fold_have_to_be_of_one_kind(folds):
    with pytest.raises(ValueError, match="train in the folds of 'x' should be"):
        check_folds("x", folds)
