"""Every exported object is documented in full: each parameter, related objects, an example that runs."""

import importlib
import inspect
import pkgutil
import re

import pytest

import skad


def exported():
    """Classes and functions of every ``__all__``, by full name; each once, in the highest package."""
    found, seen = {}, set()
    modules = [each.name for each in pkgutil.walk_packages(skad.__path__, "skad.")]
    for module in ["skad", *sorted(modules, key=lambda name: name.count("."))]:
        if not module.endswith("__main__"):
            package = importlib.import_module(module)
            for name in getattr(package, "__all__", ()):
                value = getattr(package, name)
                if (inspect.isclass(value) or inspect.isroutine(value)) and id(value) not in seen:
                    seen.add(id(value))
                    found[f"{module}.{name}"] = value
    return found


EXPORTED = exported()


def parameters(value):
    """Names of the parameters; none of an exception, whose signature is Python's."""
    if inspect.isclass(value) and issubclass(value, BaseException):
        return []
    every = inspect.signature(value).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [each.name for each in every if each.kind not in variable and not each.name.startswith("_")]


def described(docstring):
    """Names in the entries ``name, name : type`` that a text of their own follows."""
    entries = re.findall(r"^(\w+(?:, \w+)*) : .*\n +(?!As in|As of)\S", docstring, flags=re.M)
    return {name for entry in entries for name in entry.split(", ")}


@pytest.mark.parametrize("name", EXPORTED)
def test_every_parameter_has_a_description(name):
    docstring = inspect.getdoc(EXPORTED[name])
    assert set(parameters(EXPORTED[name])) - described(docstring) == set()


@pytest.mark.parametrize("name", EXPORTED)
def test_related_objects_and_an_example_are_given(name):
    docstring = inspect.getdoc(EXPORTED[name])
    assert "See Also\n--------" in docstring
    assert ">>> " in docstring


def test_an_entry_without_text_is_found():
    assert described("a, b : int\n    Sizes.\nc : int\nd : str\n    As in `f`.\n") == {"a", "b"}
