"""Pixel metrics as scorers for scikit-learn's model selection."""

from collections.abc import Callable
from typing import Any

from skad.metrics.pixel import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_roc_auc_score,
)


def make_map_scorer(metric: Callable[..., float], **kwargs: Any) -> Callable[..., float]:
    """Make a scorer of anomaly maps from a metric of foreground pixels.

    Pass the scorer as ``scoring=`` to `GridSearchCV` or `cross_validate`: it is a callable ``(estimator, X,
    y)`` that compares ``-estimator.score_samples(X)`` with `y`. Background is NaN in the map, so the metric
    leaves it out.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, anomaly, **kwargs) -> float``, higher is better. A module-level function, for the
        scorer to be picklable.
    **kwargs
        Passed to `metric`, e.g. ``label=2``.

    Returns
    -------
    callable
        ``scorer(estimator, X, y) -> float``.

    See Also
    --------
    skad.metrics.foreground_roc_auc_score : A metric of foreground pixels.

    Examples
    --------
    >>> from skad.metrics import foreground_roc_auc_score, make_map_scorer
    >>> make_map_scorer(foreground_roc_auc_score, label=2)
    make_map_scorer(foreground_roc_auc_score, label=2)
    """
    return _MapScorer(metric, kwargs)


class _MapScorer:
    """Scorer of anomaly maps, as ``scoring=`` of scikit-learn's model selection takes it.

    Parameters
    ----------
    estimator : fitted estimator
        With ``score_samples`` on slices.
    X : array-like of shape (n_samples, n_contrasts, height, width)
        Slices, NaN background.
    y : array-like of int, shape (n_samples, height, width)
        0 normal, ``k >= 1`` abnormality class k.

    See Also
    --------
    skad.metrics.make_map_scorer : Makes a scorer from a metric.
    """

    # a class and not a closure, so that joblib can send it to other processes

    def __init__(self, metric, kwargs):
        self.metric = metric
        self.kwargs = kwargs

    def __call__(self, estimator, X, y):
        if y is None:
            raise ValueError(f"{self!r} needs the pixel labels y, got None.")
        return self.metric(y, -estimator.score_samples(X), **self.kwargs)

    def __repr__(self):
        arguments = [getattr(self.metric, "__name__", repr(self.metric))]
        arguments += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"make_map_scorer({', '.join(arguments)})"


foreground_roc_auc = make_map_scorer(foreground_roc_auc_score)
foreground_average_precision = make_map_scorer(foreground_average_precision_score)
foreground_best_dice = make_map_scorer(foreground_best_dice_score)
