"""Packages that import a module when one of its names is first used (PEP 562, SPEC 1).

``lazy-loader`` reads the names from a ``.pyi`` beside the package. import-linter reads no ``.pyi``, so the
import contract would lose sight of them; here they stay in the package, under ``if TYPE_CHECKING``.
"""

import ast
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def lazy_exports(package: str, path: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package whose imports stand under ``if TYPE_CHECKING:``.

    A name must not be that of a module of the package: Python would replace it by the module.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    path : str
        The package's ``__file__``; its imports tell where each name is defined.

    Returns
    -------
    getattr : callable of str
        Imports the module that defines the name, or the module of that name in the package.
    dir : callable
        The exported names and what else the package holds.

    Raises
    ------
    AttributeError
        From ``getattr``: the package exports no such name.

    Examples
    --------
    >>> import skad.metrics
    >>> skad.metrics.ScoreHistogram.__module__
    'skad.metrics.histogram'
    """
    modules = _deferred_imports(path)

    def load(name: str) -> Any:
        if name in modules:
            return getattr(importlib.import_module(modules[name]), name)
        if not name.startswith("_") and importlib.util.find_spec(f"{package}.{name}"):
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return load, lambda: sorted({*modules, *vars(sys.modules[package])})


def _deferred_imports(path: str) -> dict[str, str]:
    """Name to module, of the imports inside the top-level ``if`` statements of a file."""
    conditions = (node for node in ast.parse(Path(path).read_bytes()).body if isinstance(node, ast.If))
    imports = (each for node in conditions for each in node.body if isinstance(each, ast.ImportFrom))
    return {alias.name: str(each.module) for each in imports for alias in each.names}
