"""Cross-validation splits for anomaly detection: patients stay whole, training sees normal slices only."""

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.utils import check_random_state, indexable

from skad.utils.typing import Array, IntArray, RandomState


class PatientKFold(GroupKFold):
    """K folds of whole patients, stratified by whether patients have lesions.

    Patients with lesions are assigned to the folds first, so that their number differs by at most one between
    folds and every fold can be scored if there are at least `n_splits` of them; then the numbers of slices
    are balanced. We do not build on :class:`~sklearn.model_selection.StratifiedGroupKFold`: it balances
    slices, not patients, and may leave a fold without lesions where one is possible.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    stratify : bool, default=True
        Whether to spread patients with lesions as described, which needs `y`; False balances slices only.
    shuffle : bool, default=False
        Whether to assign patients in random order. Otherwise those with most slices come first, which
        balances the folds best.
    random_state : int, RandomState instance or None, default=None
        Order of the patients if `shuffle`.

    See Also
    --------
    skad.model_selection.NormalTrainSplit : Trains on lesion-free slices only.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.model_selection import PatientKFold
    >>> patients = np.array(["a", "a", "b", "c", "d", "d"])
    >>> y = np.zeros((6, 2, 2), dtype=int)
    >>> y[[0, 2]] = 1
    >>> for train, test in PatientKFold(n_splits=2).split(y, y, patients):
    ...     print(patients[train], patients[test])
    ['b' 'd' 'd'] ['a' 'a' 'c']
    ['a' 'a' 'c'] ['b' 'd' 'd']
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        stratify: bool = True,
        shuffle: bool = False,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)
        self.stratify = stratify

    def split(
        self, X: Array, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the slices to train on and to test on.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length is used.
        y : array-like of int, shape (n_samples, height, width) or (n_samples,)
            Labels of pixels or slices, 0 normal. Needed if `stratify`.
        groups : array-like of shape (n_samples,)
            Patient of each slice.

        Yields
        ------
        train, test : ndarray of int
            Sorted indices of slices; no patient has slices in both.

        Raises
        ------
        ValueError
            If `groups` is None, `y` is None where it is needed, lengths differ, or there are fewer patients
            than folds.
        """
        X, y, groups = indexable(X, y, groups)
        if groups is None:
            raise ValueError("groups should name the patient of each slice, got None: pass groups=patients.")
        if self.stratify and y is None:
            raise ValueError(
                "y should hold the labels that tell lesion slices, got None: pass y, or stratify=False."
            )
        n_patients = np.unique(groups).size
        if n_patients < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} needs at least {self.n_splits} patients, got {n_patients}: "
                "lower n_splits or add patients."
            )
        yield from super().split(X, y, groups)

    def _iter_test_indices(self, X, y, groups):
        _, patient = np.unique(groups, return_inverse=True)
        n_slices = np.bincount(patient)
        has_lesion = np.zeros(n_slices.size, dtype=bool)
        if self.stratify:
            has_lesion[patient[has_abnormal_pixel(y)]] = True
        fold = _deal(n_slices, has_lesion, self.n_splits, self._order(n_slices))
        for i in range(self.n_splits):
            yield np.flatnonzero(fold[patient] == i)

    def _order(self, n_slices):
        if self.shuffle:
            return check_random_state(self.random_state).permutation(n_slices.size)
        return np.argsort(-n_slices, kind="stable")


class NormalTrainSplit(PatientKFold):
    """Train on the lesion-free slices of some patients and test on all slices of the others.

    An unsupervised detector must not see lesions in training, while its score needs lesions in the test set.
    The folds are those of `PatientKFold`, with the patients with lesions spread over them.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to assign patients to folds in random order.
    random_state : int, RandomState instance or None, default=None
        Order of the patients if `shuffle`.

    See Also
    --------
    skad.model_selection.PatientKFold : The same folds with all slices in training.
    skad.metrics.make_map_scorer : Makes scorers for the search.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.model_selection import NormalTrainSplit
    >>> patients = np.array(["a", "a", "b", "b"])
    >>> y = np.zeros((4, 2, 2), dtype=int)
    >>> y[[0, 2], 1, 1] = 1
    >>> for train, test in NormalTrainSplit(n_splits=2).split(y, y, patients):
    ...     print(train, test)
    [3] [0 1]
    [1] [2 3]
    """

    def __init__(self, n_splits: int = 5, *, shuffle: bool = False, random_state: RandomState = None) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)

    def split(
        self, X: Array, y: Array | None = None, groups: Array | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the normal slices to train on and the slices to test on.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length is used.
        y : array-like of int, shape (n_samples, height, width) or (n_samples,)
            Labels of pixels or slices; a slice is normal if all of them are 0.
        groups : array-like of shape (n_samples,)
            Patient of each slice.

        Yields
        ------
        train, test : ndarray of int
            Sorted indices of slices. Each slice is in the test set of exactly one fold.

        Raises
        ------
        ValueError
            As in `PatientKFold.split`, and if a fold would have no normal slice to train on.
        """
        for i, (train, test) in enumerate(super().split(X, y, groups)):
            normal = train[~has_abnormal_pixel(y)[train]]
            if not normal.size:
                raise ValueError(
                    f"Fold {i} should have a lesion-free slice to train on, got none among the {train.size} "
                    "slices of its training patients: add normal slices or choose other folds."
                )
            yield normal, test


def has_abnormal_pixel(y):
    """Whether each slice holds a label other than 0, bool array of shape (n_samples,)."""
    y = np.asanyarray(y)
    return y.reshape(len(y), -1).any(axis=1)


def _deal(n_slices, has_lesion, n_splits, order):
    """Fold of each patient; the next goes where lesion patients (if it is one), then slices, are fewest."""
    fold = np.empty(n_slices.size, dtype=int)
    lesion_patients, slices = np.zeros((2, n_splits), dtype=int)
    for p in order[np.argsort(~has_lesion[order], kind="stable")]:
        fold[p] = np.lexsort((slices, lesion_patients * has_lesion[p]))[0]
        lesion_patients[fold[p]] += has_lesion[p]
        slices[fold[p]] += n_slices[p]
    return fold
