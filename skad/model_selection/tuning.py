"""Ranking the configurations of a method on scans: a grid search that can be killed and resumed."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from sklearn import config_context
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from skad.io import Volume
from skad.model_selection.cached_fit import CachedFit
from skad.model_selection.pseudo_anomaly import PseudoAnomalyScorer
from skad.model_selection.splitters import NormalTrainSplit
from skad.preprocessing import VolumePreprocessor
from skad.utils.typing import Array, FloatArray, PathLike

_EXPECTED = ("Scoring failed", "One or more of the test scores are non-finite", "Persisting input")


def slices_for_search(
    preprocessor: VolumePreprocessor, volumes: Sequence[Volume]
) -> tuple[FloatArray, Array, Array]:
    """Slices of all volumes, and which of them show a lesion; without labels none does, as in a fit.

    Parameters
    ----------
    preprocessor : VolumePreprocessor
        Is fitted.
    volumes : list of Volume
        With or without labels.

    Returns
    -------
    X : float32 ndarray of shape (n_slices, n_contrasts, height, width)
    has_lesion : int ndarray of shape (n_slices,)
    subjects : str ndarray of shape (n_slices,)

    See Also
    --------
    rank_configurations : The search over these slices.

    Examples
    --------
    >>> from skad.datasets import make_phantom
    >>> from skad.model_selection import slices_for_search
    >>> from skad.preprocessing import VolumePreprocessor
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> X, has_lesion, subjects = slices_for_search(VolumePreprocessor(size=(32, 32)), volumes)
    >>> X.shape, has_lesion.shape, sorted({*subjects.tolist()})
    ((12, 3, 32, 32), (12,), ['phantom01', 'phantom02'])
    """
    preprocessor.fit(volumes)
    parts = [[volume for volume in volumes if volume.has_labels is told] for told in (True, False)]
    stacks = [preprocessor.transform(part) for part in parts if part]
    lesions = [np.zeros(len(s.X), int) if s.y is None else s.y.any(axis=(1, 2)).astype(int) for s in stacks]
    X, subjects = (np.concatenate([getattr(s, name) for s in stacks]) for name in ("X", "groups"))
    return X, np.concatenate(lesions), subjects


def rank_configurations(
    pipeline: Any,
    grid: Mapping[str, Sequence[Any]],
    X: Array,
    has_lesion: Array,
    subjects: Array,
    *,
    memory: PathLike | joblib.Memory,
    scoring: PseudoAnomalyScorer | None = None,
    n_splits: int = 3,
    verbose: int = 0,
) -> list[dict[str, Any]]:
    """The table of a grid search whose fits are kept, best configuration first.

    Parallel fits are asked for by :func:`joblib.parallel_config`.

    Parameters
    ----------
    pipeline : Pipeline
        Unfitted.
    grid : dict of str to list
        Values of each parameter.
    X : array of shape (n_slices, n_contrasts, height, width)
        Slices of :func:`slices_for_search`.
    has_lesion : int array of shape (n_slices,)
        Slices with a lesion are neither learned from nor scored.
    subjects : array of shape (n_slices,)
        No split separates the slices of one subject.
    memory : path-like or joblib.Memory
        Where finished fits are kept, see :class:`CachedFit`; a search that was killed finds them again.
    scoring : PseudoAnomalyScorer, default=None
        What a configuration is scored with. None is ``PseudoAnomalyScorer()``.
    n_splits : int, default=3
        Folds of the cross-validation.
    verbose : int, default=0
        Messages of the search; 3 prints a line per fit.

    Returns
    -------
    list of dict
        Parameters of a configuration and its numbers in ``cv_results_``. Configurations that failed have a
        ``mean_test_score`` of NaN and are last.

    Raises
    ------
    ValueError
        Every configuration failed; says why.

    See Also
    --------
    PseudoAnomalyScorer : The score without labels.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.pipeline import Pipeline
    >>> from skad.model_selection import rank_configurations
    >>> from skad.scoring import MixtureScorer
    >>> X = np.random.default_rng(0).normal(size=(6, 2, 24, 20))
    >>> subjects = np.array(["a", "a", "b", "b", "c", "c"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rows = rank_configurations(
    ...         Pipeline([("score", MixtureScorer(random_state=0))]),
    ...         {"score__n_components": [1, 2]},
    ...         *(X, np.zeros(6, int), subjects),
    ...         memory=folder,
    ...     )
    >>> [row["rank_test_score"] for row in rows]
    [1, 2]
    """
    scoring = PseudoAnomalyScorer() if scoring is None else scoring
    if not isinstance(memory, joblib.Memory):
        memory = joblib.Memory(memory, verbose=0)
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        for text in _EXPECTED:
            warnings.filterwarnings("ignore", text)
        searching = GridSearchCV(
            CachedFit(pipeline, memory=memory),
            {f"estimator__{name}": values for name, values in grid.items()},
            scoring=scoring.set_score_request(groups=True),
            cv=NormalTrainSplit(n_splits=n_splits),
            refit=False,
            verbose=verbose,
        )
        try:
            results = searching.fit(X, has_lesion, groups=subjects).cv_results_
        except ValueError as error:  # scikit-learn tells every traceback
            raise ValueError(str(error).strip().splitlines()[-1]) from error
    rows = _rows(results)
    if all(math.isnan(row["mean_test_score"]) for row in rows):
        raise ValueError("No configuration could be fitted and scored: there is nothing to choose from.")
    return sorted(rows, key=lambda row: row["rank_test_score"])


def _rows(results):
    numbers = [name for name in results if not name.startswith("param")]
    return [
        {name.removeprefix("estimator__"): value for name, value in parameters.items()}
        | {name: results[name][i].item() for name in numbers}
        for i, parameters in enumerate(results["params"])
    ]
