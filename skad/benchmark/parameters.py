"""How many numbers the networks of a detector adjust in training."""

from sklearn.base import BaseEstimator
from torch.nn import Module


def count_parameters(estimator):
    """Numbers that training adjusts in the networks of a fitted estimator and of estimators inside it."""
    modules, seen = [], set()
    _collect(estimator, modules, seen)
    parameters = {id(p): p.numel() for module in modules for p in module.parameters()}
    return sum(parameters.values())


def _collect(part, modules, seen):
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Module):
        modules.append(part)
    elif isinstance(part, (BaseEstimator, list, tuple)):
        for value in vars(part).values() if isinstance(part, BaseEstimator) else part:
            _collect(value, modules, seen)
