"""Every function and method of the public interface says what it takes and gives; mypy checks that it is so.

Constructors of estimators are left out: their parameters' domains are in ``_parameter_constraints``.
"""

import importlib
import inspect
import types
import typing
from importlib.resources import files

import pytest

MODULES = (
    "skad",
    "skad.augmentation",
    "skad.base",
    "skad.benchmark",
    "skad.calibration",
    "skad.datasets",
    "skad.evaluation",
    "skad.io",
    "skad.metrics",
    "skad.model_selection",
    "skad.derivatives",
    "skad.persistence",
    "skad.plotting",
    "skad.postprocessing",
    "skad.preprocessing",
    "skad.reconstruction",
    "skad.report",
    "skad.scoring",
    "skad.anatomy",
    "skad.training",
)


def public(module):
    """Public functions and classes: those of ``__all__``, or those defined in a module without it."""
    module = importlib.import_module(module)
    own = [name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__]
    names = getattr(module, "__all__", [name for name in own if not name.startswith("_")])
    return [getattr(module, name) for name in names]


def callables(module):
    """Name to function, of the functions, methods and properties of a module, inherited ones of skad too."""
    found = {}
    for each in public(module):
        if inspect.isfunction(each):
            found[each.__name__] = each
        for parent in each.__mro__ if inspect.isclass(each) else ():
            for name, member in vars(parent).items() if parent.__module__.startswith("skad") else ():
                function = inspect.unwrap(getattr(member, "fget", getattr(member, "__func__", member)))
                if inspect.isfunction(function) and not name.startswith("_"):
                    found[f"{parent.__name__}.{name}"] = function
    return found


CALLABLES = {f"{module}.{name}": each for module in MODULES for name, each in callables(module).items()}


def optional(hint):
    if hint in (typing.Any, object):
        return True
    return (
        type(None) in typing.get_args(hint)
        if typing.get_origin(hint) in (typing.Union, types.UnionType)
        else False
    )


def test_the_public_interface_is_found():
    assert len(CALLABLES) > 100
    assert {"skad.load", "skad.metrics.ScoreHistogram.roc_auc", "skad.scoring.JointDRGMM.fit"} <= {*CALLABLES}


@pytest.mark.parametrize("name", CALLABLES)
def test_every_public_function_is_annotated(name):
    function = CALLABLES[name]
    hints = typing.get_type_hints(function)
    parameters = [
        each for each in inspect.signature(function).parameters.values() if each.name not in ("self", "cls")
    ]
    assert "return" in hints
    assert [each.name for each in parameters if each.name not in hints] == []
    assert [each.name for each in parameters if each.default is None and not optional(hints[each.name])] == []


def test_type_checkers_are_told_of_the_annotations():
    assert (files("skad") / "py.typed").is_file()
