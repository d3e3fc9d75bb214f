import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, check_cv

from skad.model_selection import NormalTrainSplit, PatientKFold


@st.composite
def cohorts(draw):
    """Patients of 1 to 6 slices in mixed order, lesion slices anywhere, and a number of folds that fits."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=9))
    order = draw(st.permutations(range(sum(sizes))))
    groups = np.repeat(np.arange(len(sizes)), sizes)[order]
    has_lesion = np.array(draw(st.lists(st.booleans(), min_size=sum(sizes), max_size=sum(sizes))))
    y = np.zeros((groups.size, 2, 3), dtype=int)
    y[has_lesion, 1, 2] = 4
    return y, np.array([f"sub-{g}" for g in groups]), draw(st.integers(2, len(sizes))), draw(st.booleans())


def splitters(n_splits, shuffle):
    options = {"n_splits": n_splits, "shuffle": shuffle, "random_state": 0 if shuffle else None}
    return [NormalTrainSplit(**options), PatientKFold(**options), PatientKFold(**options, stratify=False)]


def folds_of(splitter, y, groups):
    try:
        return list(splitter.split(y, y, groups))
    except ValueError as error:
        assume("lesion-free slice" not in str(error))
        raise


@settings(deadline=None)
@given(cohorts())
def test_no_patient_is_on_both_sides(cohort):
    y, groups, n_splits, shuffle = cohort
    for splitter in splitters(n_splits, shuffle):
        for train, test in folds_of(splitter, y, groups):
            assert not set(groups[train]) & set(groups[test])


@settings(deadline=None)
@given(cohorts())
def test_test_sets_cover_every_slice_once_and_none_is_empty(cohort):
    y, groups, n_splits, shuffle = cohort
    for splitter in splitters(n_splits, shuffle):
        tests = [test for _, test in folds_of(splitter, y, groups)]
        np.testing.assert_array_equal(np.sort(np.concatenate(tests)), np.arange(len(y)))
        assert len(tests) == splitter.get_n_splits() == n_splits and min(map(len, tests)) > 0


@settings(deadline=None)
@given(cohorts())
def test_no_lesion_is_in_training_and_no_normal_slice_of_the_others_is_missing(cohort):
    y, groups, n_splits, shuffle = cohort
    for train, test in folds_of(NormalTrainSplit(n_splits, shuffle=shuffle), y, groups):
        expected = [i for i in range(len(y)) if groups[i] not in groups[test] and not y[i].any()]
        assert train.tolist() == expected


@settings(deadline=None)
@given(cohorts())
def test_patient_folds_train_on_all_slices_of_the_others(cohort):
    y, groups, n_splits, shuffle = cohort
    for train, test in PatientKFold(n_splits, shuffle=shuffle).split(y, y, groups):
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))


@settings(deadline=None)
@given(cohorts())
def test_patients_with_lesions_are_spread_evenly(cohort):
    y, groups, n_splits, shuffle = cohort
    with_lesions = set(groups[y.any(axis=(1, 2))])
    for splitter in splitters(n_splits, shuffle)[:2]:
        counts = [len(with_lesions & set(groups[test])) for _, test in folds_of(splitter, y, groups)]
        assert max(counts) - min(counts) <= 1


def cohort(n_patients=6, n_slices=4):
    """Every patient has a lesion in the first slice only."""
    y = np.zeros((n_patients * n_slices, 3, 5), dtype=int)
    y[::n_slices, 1, 2] = 1
    return y, np.repeat(np.arange(n_patients), n_slices)


def test_folds_are_even_in_slices_whatever_the_patients_sizes():
    sizes = [9, 1, 5, 5, 1, 9]
    groups = np.repeat(np.arange(6), sizes)
    tests = [test for _, test in PatientKFold(3, stratify=False).split(groups, groups=groups)]
    assert [len(t) for t in tests] == [10, 10, 10]


def test_shuffled_folds_are_reproducible_and_depend_on_the_seed():
    y, groups = cohort()
    first, again, other = (
        [test.tolist() for _, test in NormalTrainSplit(3, shuffle=True, random_state=s).split(y, y, groups)]
        for s in (1, 1, 2)
    )
    assert first == again != other


def test_shuffling_leaves_the_global_random_state_alone():
    y, groups = cohort()
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    list(NormalTrainSplit(3, shuffle=True, random_state=1).split(y, y, groups))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_labels_of_slices_do_as_well_as_labels_of_pixels():
    y, groups = cohort()
    by_pixel, by_slice = (
        [(a.tolist(), b.tolist()) for a, b in NormalTrainSplit(3).split(y, labels, groups)]
        for labels in (y, y.any(axis=(1, 2)))
    )
    assert by_pixel == by_slice


def test_repr_shows_the_parameters_and_check_cv_keeps_the_splitter():
    splitter = NormalTrainSplit(n_splits=4, shuffle=True, random_state=3)
    assert repr(splitter) == "NormalTrainSplit(n_splits=4, random_state=3, shuffle=True)"
    assert check_cv(splitter) is splitter
    assert "stratify=False" in repr(PatientKFold(stratify=False))


class RecordsTraining(BaseEstimator):
    seen = []

    def __init__(self, alpha=0):
        self.alpha = alpha

    def fit(self, X, y=None):
        RecordsTraining.seen.append((np.asarray(X[:, 0, 0, 0], dtype=int), y))
        return self

    def score(self, X, y):
        return self.alpha


def test_grid_search_on_a_memmap_trains_on_normal_slices_of_other_patients(tmp_path):
    y, groups = cohort()
    np.save(tmp_path / "X.npy", np.broadcast_to(np.arange(len(y))[:, None, None, None], (len(y), 2, 3, 5)))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    RecordsTraining.seen.clear()
    search = GridSearchCV(clone(RecordsTraining()), {"alpha": [0, 1]}, cv=NormalTrainSplit(3), refit=False)
    search.fit(X, y, groups=groups)
    assert len(RecordsTraining.seen) == 6
    assert not any(labels.any() for _, labels in RecordsTraining.seen)
    assert all(len(slices) == 12 for slices, _ in RecordsTraining.seen)  # 3 normal slices of 4 patients


Y, GROUPS = cohort(3)


@pytest.mark.parametrize("splitter", [NormalTrainSplit(3), PatientKFold(3)])
@pytest.mark.parametrize(
    ("y", "groups", "message"),
    [
        (Y, None, "groups should name the patient of each slice, got None"),
        (None, GROUPS, "y should hold the labels .* got None"),
        (Y, GROUPS % 2, "n_splits=3 needs at least 3 patients, got 2"),
        (Y, GROUPS[:-1], "inconsistent numbers of samples"),
    ],
)
def test_bad_input_is_an_error(splitter, y, groups, message):
    with pytest.raises(ValueError, match=message):
        next(splitter.split(np.zeros((12, 2, 3, 5)), y, groups))


def test_a_fold_without_normal_training_slices_is_an_error():
    y = Y.copy()
    y[GROUPS > 0] = 1
    with pytest.raises(ValueError, match=r"Fold 0 .* none among the 8 slices of its training patients"):
        list(NormalTrainSplit(3).split(y, y, GROUPS))


def test_one_fold_is_an_error():
    with pytest.raises(ValueError, match="n_splits=1"):
        NormalTrainSplit(n_splits=1)
