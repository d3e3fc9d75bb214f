"""Which classes a file may name, and by which name."""

import importlib
import sys

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
        Allowed beside those of skad and :data:`SKLEARN_CLASSES`.

    Raises
    ------
    RefusedError
        The name is not allowed, or is no class.
    """
    by_name = {public_name(cls): cls for cls in trusted}
    if name in by_name:
        return by_name[name]
    package, _, short = name.rpartition(".")
    if name not in SKLEARN_CLASSES and package.split(".")[0] != "skad":
        raise RefusedError(
            f"asks for the class {name}, which skad does not build from a file by itself: "
            f"if you trust where the file comes from, pass trusted=[{short}] to skad.load"
        )
    cls = _imported(package, short)
    if not isinstance(cls, type) or cls.__module__.split(".")[0] != package.split(".")[0]:
        raise RefusedError(
            f"asks for {name}, which this installation does not have: install the version that wrote it"
        )
    return cls


def _imported(package, name):
    try:
        return getattr(importlib.import_module(package), name, None)
    except ImportError:
        return None
