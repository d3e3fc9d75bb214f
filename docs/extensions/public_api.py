"""The API reference: one page per package that has an ``__all__``, written anew at every build.

Nothing is listed by hand, so a new public name appears by itself; at the end a name that no page documents is
a warning, and with ``-W`` an error.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

import skad

PARTS = (  # modules without an __all__ whose names are for those who write methods
    "skad.base",
    "skad.reconstruction.latent_space",
    "skad.calibration.conformal",
    "skad.synthetic.placement",
    "skad.utils.validation",
)
PARTS_BELOW = ("skad.nn",)  # and all modules of these packages
INDEX = """API reference
=============

Everything that a package exports (its ``__all__``).

.. toctree::
   :maxdepth: 1

{packages}

For writing methods
-------------------

The contract of both kinds of estimators, and the parts that they are made of.

.. toctree::
   :maxdepth: 1

{parts}
"""
_log = logging.getLogger(__name__)


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", write_pages)
    app.connect("autodoc-skip-member", skip_what_others_define)
    app.connect("env-check-consistency", warn_of_what_is_missing)
    return {"parallel_read_safe": True}


def public_names():
    """The public names of every module with an ``__all__``, as far as its parents do not export them.

    Returns
    -------
    dict of str to list of str
    """
    found, seen = {}, set()
    for module in map(importlib.import_module, ["skad", *modules_below(skad)]):
        names = [name for name in getattr(module, "__all__", []) if identity(module, name) not in seen]
        if names:
            found[module.__name__] = names
            seen.update(identity(module, name) for name in names)
    return found


def modules_below(package):
    """Full names of all modules of a package, parents first."""
    names = (each.name for each in pkgutil.walk_packages(package.__path__, package.__name__ + "."))
    return sorted((name for name in names if not name.endswith("__main__")), key=lambda n: (n.count("."), n))


def identity(module, name):
    """What is documented: the object, whichever module it is imported from."""
    return id(getattr(module, name)), name


def part_names(module):
    """Public classes and functions that a module without an ``__all__`` defines."""
    members = vars(importlib.import_module(module)).items()
    return [
        name
        for name, value in members
        if not name.startswith("_") and is_documented_alone(value) and value.__module__ == module
    ]


def is_documented_alone(value):
    """Whether it is a class or function, which has a docstring of its own; constants have none."""
    return inspect.isclass(value) or inspect.isroutine(value)


def write_pages(app, config):
    """Write ``api/index.rst`` and a page per package and module; remove pages of what is gone."""
    folder = Path(app.srcdir, "api")
    packages, parts = public_names(), modules_of_parts()
    pages = {name: package_page(name, names) for name, names in packages.items()}
    pages |= {name: part_page(name) for name in parts}
    pages["index"] = INDEX.format(packages=entries(packages), parts=entries(parts))
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text() != text:  # unchanged pages need not be read again
            path.write_text(text)
    keep_only(pages, folder)
    keep_only(
        [f"{package}.{name}" for package in packages for name in packages[package]], folder / "generated"
    )


def entries(names):
    """Lines of a table of contents."""
    return "\n".join(f"   {name}" for name in names)


def keep_only(names, folder):
    """Remove the other pages of a folder."""
    for path in set(folder.glob("*.rst")) - {folder / f"{name}.rst" for name in names}:
        path.unlink()


def modules_of_parts():
    """Names of the modules in the second list."""
    below = (modules_below(importlib.import_module(package)) for package in PARTS_BELOW)
    return [*PARTS, *(name for names in below for name in names)]


def package_page(package, names):
    """A table of the names, each with a page of its own; constants at the end."""
    module = importlib.import_module(package)
    pages = [name for name in names if is_documented_alone(getattr(module, name))]
    constants = [name for name in names if name not in pages]
    lines = [package, "=" * len(package), "", f".. automodule:: {package}", ""]
    lines += [f".. currentmodule:: {package}", ""]
    if pages:
        lines += [".. autosummary::", "   :toctree: generated", "", *(f"   {name}" for name in pages), ""]
    for name in constants:
        lines += [f".. py:data:: {name}", "", f"   {comment_of(package, name)}", ""]
    return "\n".join(lines)


def part_page(module):
    """All that a module defines, on one page."""
    lines = [module, "=" * len(module), "", f".. automodule:: {module}", ""]
    for name in part_names(module):
        if inspect.isclass(getattr(importlib.import_module(module), name)):
            lines += [f".. autoclass:: {module}.{name}", "   :members:", "   :inherited-members:", ""]
        else:
            lines += [f".. autofunction:: {module}.{name}", ""]
    return "\n".join(lines)


def comment_of(package, name):
    """The string under a constant's definition, wherever in the package it is."""
    for module in [package, *modules_below_or_none(package)]:
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        if ("", name) in comments:
            return " ".join(line for line in comments["", name] if line)
    return f"Of type {type(getattr(importlib.import_module(package), name)).__name__}."


def modules_below_or_none(package):
    module = importlib.import_module(package)
    return modules_below(module) if hasattr(module, "__path__") else []


def skip_what_others_define(app, what, name, obj, skip, options):
    """Leave out methods of Python, scikit-learn and torch: their docstrings belong to pages of their own."""
    method = getattr(obj, "fget", None) or obj
    owner = method if getattr(method, "__module__", None) else getattr(method, "__objclass__", None)
    home = getattr(owner, "__module__", None) or "skad"
    return True if not home.startswith("skad") else None


def warn_of_what_is_missing(app, env):
    """Warn of every public name that has no entry in the reference."""
    known = env.domains.python_domain.objects
    expected = [f"{module}.{name}" for module, names in public_names().items() for name in names]
    expected += [f"{module}.{name}" for module in modules_of_parts() for name in part_names(module)]
    for name in expected:
        if name not in known:
            _log.warning("the API reference lacks %s, which is public", name, type="skad", subtype="api")
