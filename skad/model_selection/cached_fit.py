"""Fits that are never done twice, not even after the search was killed."""

from typing import Self

from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_memory

from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import Array, FloatArray


class CachedFit(DocumentationLinkMixin, MetaEstimatorMixin, BaseEstimator):
    """Estimator whose fits are cached in a folder, so that an interrupted search can be resumed.

    ``Pipeline(memory=...)`` caches every step but the last, so that a search does not train a reconstructor
    again for each scorer. It does not cache the last step: an interrupted search trains all scorers again.
    This estimator caches the fit of the whole pipeline as well.

    Parameters
    ----------
    estimator : estimator with ``score_samples``
        Usually a Pipeline, whose own ``memory`` is replaced by `memory`.
    memory : str or joblib.Memory
        The folder. Several processes may share it, and several machines if it is on a shared disk.

    Attributes
    ----------
    estimator_ : estimator
        Fitted clone, without memory.

    See Also
    --------
    skad.training.checkpoint_in : Resumes an interrupted fit.

    Notes
    -----
    A fit is identified by the estimator's parameters, X, y and the version of skad; fits of an estimator with
    ``random_state=None`` are never reused. A function among the parameters is identified by its name, not by
    its code: clear the folder after editing it.

    Workers do not wait for each other: two workers that need the same fit at the same time both train it.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skad.model_selection import CachedFit
    >>> from skad.scoring import MixtureScorer
    >>> X = np.random.default_rng(0).normal(size=(4, 2, 12, 10))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cached = CachedFit(MixtureScorer(n_components=2, random_state=0), memory=folder).fit(X)
    >>> cached.score_samples(X).shape
    (4, 12, 10)
    """

    def __init__(self, estimator, *, memory):
        self.estimator = estimator
        self.memory = memory

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Fit a clone, or read it back.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_contrasts, height, width)
        y : ignored by skad's estimators

        Returns
        -------
        self
        """
        memory = check_memory(self.memory)
        fit = memory.cache(_fit, ignore=["memory"])
        self.estimator_ = fit(_with_memory(clone(self.estimator), None), X, y, memory)
        return self

    def score_samples(self, X: Array) -> FloatArray:
        """What the fitted estimator says."""
        return self.estimator_.score_samples(X)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")


def _fit(estimator, X, y, memory):
    return _with_memory(_with_memory(estimator, memory).fit(X, y), None)


def _with_memory(estimator, memory):
    return estimator.set_params(memory=memory) if isinstance(estimator, Pipeline) else estimator
