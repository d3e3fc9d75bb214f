"""Estimators from the tables of a study: ``{class = "JointDRGMM", max_epochs = 10}``."""

import importlib
import inspect

from sklearn.frozen import FrozenEstimator

import skad.anatomy
import skad.reconstruction
import skad.scoring
import skad.synthetic
from skad.augmentation import Augmentation, Geometry, Intensity
from skad.utils.names import check_name

ESTIMATORS = {
    name: getattr(module, name) for module in (skad.reconstruction, skad.scoring) for name in module.__all__
}
PARTS = {
    "AnatomySegmenter": skad.anatomy.AnatomySegmenter,
    **{part.__name__: part for part in (Augmentation, Geometry, Intensity)},
    **{name: getattr(skad.synthetic, name) for name in skad.synthetic.__all__ if name[0].isupper()},
}
PACKAGES = ("sklearn", "pyod", "skorch.callbacks")
"""Where classes with a dotted name may come from: detectors, and callbacks such as schedules."""
CALLBACKS = ("EarlyStopping", "GradientNormClipping", "LRScheduler", "WarmRestartLR")
"""Callbacks of skorch that read and write no file."""
_KINDS = (
    ("sklearn.base", "BaseEstimator"),
    ("pyod.models.base", "BaseDetector"),
    ("skorch.callbacks.base", "Callback"),
)


def find_class(name):
    """The class of a name in a study.

    Parameters
    ----------
    name : str
        Of skad's reconstructors, scorers, planted families and augmentation; or dotted: an estimator that
        scikit-learn or PyOD defines, or one of `CALLBACKS`. What their modules merely import is not found.

    Raises
    ------
    ValueError
        There is none; the message offers the nearest.

    Examples
    --------
    >>> find_class("sklearn.mixture.GaussianMixture").__name__, find_class("JointDRGMM").__name__
    ('GaussianMixture', 'JointDRGMM')
    """
    module, dot, attribute = str(name).rpartition(".")
    if not dot:
        return (ESTIMATORS | PARTS)[check_name(name, ESTIMATORS | PARTS, "class")]
    package = next((each for each in PACKAGES if module == each or module.startswith(f"{each}.")), None)
    if package is None or any(part.startswith("_") for part in name.split(".")):
        raise ValueError(f"class {name!r} should come from {', '.join(PACKAGES)}, or be one of skad's own.")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"class {name!r} cannot be imported ({error}): check it, or install it.") from error
    parts = {key: value for key, value in vars(found).items() if _is_part(value, package)}
    if not parts:
        raise ValueError(f"class {name!r} is not an estimator or callback defined by {module}.")
    return parts[check_name(attribute, parts, f"estimator or callback in {module},")]


def _is_part(value, package):
    """Whether a value is an estimator or callback that the package itself defines."""
    if not inspect.isclass(value) or not value.__module__.startswith(f"{package}."):
        return False
    if package == "skorch.callbacks" and value.__name__ not in CALLBACKS:
        return False
    return any((base.__module__, base.__name__) in _KINDS for base in value.__mro__)


def complete(table, budget):
    """A table with the budget where its class has the parameters and the table does not set them.

    Parameters
    ----------
    table : dict
        ``class`` and parameters; values may be tables (and lists of tables) of the same kind, or
        ``{"reference": name}`` and ``{"method": name}`` for what is fitted already.
    budget : dict
        Parameters of every estimator of skad.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        No class, or a parameter that the class does not have; the message offers the nearest.
    """
    if "class" not in table:
        raise ValueError(f"class should be named beside {', '.join(table) or 'nothing'}.")
    known = _parameters(find_class(table["class"]))
    own = {name: value for name, value in table.items() if name != "class"}
    if "memory" in own:
        raise ValueError(f"memory of {table['class']} should not be set: a cache holds pickles.")
    if known is not None:
        for name in own:
            check_name(name, known, f"parameter of {table['class']}")
    shared = {} if "." in table["class"] else {k: v for k, v in budget.items() if k in (known or ())}
    return {"class": table["class"], **{k: _complete_value(v, budget) for k, v in (shared | own).items()}}


def build(table, *, seed, fitted=None):
    """The unfitted estimator of a completed table; every part with a ``random_state`` gets the seed."""
    cls = find_class(table["class"])
    values = {k: _build_value(v, seed, fitted or {}) for k, v in table.items() if k != "class"}
    if "random_state" in (_parameters(cls) or ()):
        values.setdefault("random_state", seed)
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(f"{table['class']} cannot be made: {error}.") from error


def fitted_in(value):
    """Names of the references and methods that a table asks for fitted."""
    if _is_fitted(value):
        return set(value.values())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*(fitted_in(part) for part in parts))


def is_random(value):
    """Whether a table, or a table in it, makes something that depends on a seed."""
    if isinstance(value, list):
        return any(map(is_random, value))
    if not isinstance(value, dict):
        return False
    own = "class" in value and "random_state" in (_parameters(find_class(value["class"])) or ())
    return own or any(map(is_random, value.values()))


def _is_fitted(value):
    return isinstance(value, dict) and set(value) in ({"reference"}, {"method"})


def _parameters(cls):
    """Names of a constructor's parameters; None where it takes any."""
    parameters = inspect.signature(cls).parameters.values()
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters) else [p.name for p in parameters]


def _complete_value(value, budget):
    if isinstance(value, list):
        return [_complete_value(part, budget) for part in value]
    return complete(value, budget) if isinstance(value, dict) and "class" in value else value


def _build_value(value, seed, fitted):
    if isinstance(value, list):
        return [_build_value(part, seed, fitted) for part in value]
    if isinstance(value, dict) and "class" in value:
        return build(value, seed=seed, fitted=fitted)
    if _is_fitted(value):
        return FrozenEstimator(fitted[next(iter(value.values()))])
    return None if value == "None" else value  # TOML has no null
