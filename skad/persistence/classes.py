"""Which classes a file may name, and by which name."""

import importlib
import re
import sys

from sklearn.base import BaseEstimator
from torch.nn import Module

# Public estimators are those in the `__all__` of these packages. Steps of preparation are not among them:
# they learn nothing and name files.
ESTIMATOR_PACKAGES = (
    "skad",
    "skad.anatomy",
    "skad.augmentation",
    "skad.calibration",
    "skad.model_selection",
    "skad.preprocessing",
    "skad.reconstruction",
    "skad.scoring",
    "skad.synthetic",
)

# A file of skad.nn, whose public torch modules may be named.
_NETWORK_MODULE = re.compile(r"skad\.nn\.[a-z]\w*")

# Parts of scikit-learn that pipelines of skad are made of. Their constructors only store.
SKLEARN_CLASSES = frozenset(
    {
        "sklearn.covariance.EllipticEnvelope",
        "sklearn.covariance.EmpiricalCovariance",
        "sklearn.covariance.LedoitWolf",
        "sklearn.covariance.MinCovDet",
        "sklearn.decomposition.PCA",
        "sklearn.frozen.FrozenEstimator",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.mixture.BayesianGaussianMixture",
        "sklearn.mixture.GaussianMixture",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing.MinMaxScaler",
        "sklearn.preprocessing.RobustScaler",
        "sklearn.preprocessing.StandardScaler",
    }
)

# Parameters that say how a machine runs an estimator, not what the estimator is: a file never sets them.
RUN_TIME = frozenset({"callbacks", "device", "memory", "n_jobs", "verbose", "verbose_interval"})


class RefusedError(ValueError):
    """What a file asks for is not done; the message goes on after the file's name."""


def public_name(cls):
    """The shortest dotted name a class can be imported by, so that files survive a move inside a package.

    Examples
    --------
    >>> from sklearn.pipeline import Pipeline
    >>> public_name(Pipeline)
    'sklearn.pipeline.Pipeline'
    """
    parts = cls.__module__.split(".")
    for length in range(1, len(parts)):
        package = sys.modules.get(".".join(parts[:length]))
        if getattr(package, cls.__qualname__, None) is cls:
            return f"{package.__name__}.{cls.__qualname__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def find_class(name, trusted=()):
    """The class of a name in a file.

    Parameters
    ----------
    name : str
        As :func:`public_name` gives it.
    trusted : iterable of classes
        Allowed beside the public estimators of :data:`ESTIMATOR_PACKAGES`, the networks of
        `skad.nn` and :data:`SKLEARN_CLASSES`.

    Raises
    ------
    RefusedError
        The name is not allowed, or is no class.
    """
    by_name = {public_name(cls): cls for cls in trusted}
    if name in by_name:
        return by_name[name]
    package, _, short = name.rpartition(".")
    listed = name in SKLEARN_CLASSES or _is_public(package, short) or is_network(name)
    cls = _imported(package, short) if listed else None
    if isinstance(cls, type) and issubclass(cls, BaseEstimator | Module):
        return cls
    if listed:
        raise RefusedError(
            f"asks for {name}, which this installation does not have: install the version that wrote it"
        )
    raise RefusedError(
        f"asks for the class {name}, which skad does not build from a file by default: "
        f"if you trust the source of the file, pass trusted=[{short}] to skad.load"
    )


def is_network(name):
    """Whether a name is that of a public torch module, where skad.nn defines it."""
    package, _, short = name.rpartition(".")
    if not _NETWORK_MODULE.fullmatch(package) or short.startswith("_"):
        return False
    cls = _imported(package, short)
    return isinstance(cls, type) and issubclass(cls, Module) and cls.__module__ == package


def _is_public(package, name):
    """Whether a package that is listed exports the name; a package that is not listed is not imported."""
    return package in ESTIMATOR_PACKAGES and name in importlib.import_module(package).__all__


def _imported(package, name):
    try:
        return getattr(importlib.import_module(package), name, None)
    except ImportError:
        return None
