"""The import contract knows every package, so that a new one cannot escape it."""

import configparser
import pkgutil
import re
from pathlib import Path

import skad

CONTRACT = configparser.ConfigParser()
CONTRACT.read(Path(__file__).parents[1] / "setup.cfg")


def section(name):
    return CONTRACT[f"importlinter:contract:{name}"]


def without_layer(modules):
    """What the contract does not place."""
    return set(modules) - set(re.findall(r"\w+", section("layers")["layers"]))


def test_every_module_and_package_has_its_layer():
    assert without_layer(each.name for each in pkgutil.iter_modules(skad.__path__)) == set()
    assert section("layers").getboolean("exhaustive")  # a layer that is not placed breaks `lint-imports`


def test_a_package_without_a_layer_is_found():
    assert without_layer(["io", "an_escaped_package"]) == {"an_escaped_package"}


def test_libraries_are_forbidden_to_all_of_skad_but_their_own_packages():
    for library, packages in {
        "nibabel": {"io"},
        "skorch": {"training"},
        "matplotlib": {"plotting", "benchmark"},
        "jinja2": {"report"},
    }.items():
        rule = section(library)
        assert rule["source_modules"].split() == ["skad"] and rule["forbidden_modules"].split() == [library]
        assert set(re.findall(r"skad\.(\w+)\.\*\* -> ", rule["ignore_imports"])) == packages
