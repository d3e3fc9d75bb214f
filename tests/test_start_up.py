"""What is imported at start-up: nothing heavy before it is used, and every name from where it is defined."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import skad
from skad.cli import arguments

HEAVY = {"torch", "sklearn", "pandas", "matplotlib", "nilearn"}
PACKAGES = ["skad", *(m.name for m in pkgutil.walk_packages(skad.__path__, "skad.") if m.ispkg)]


def imported_by(code):
    """The modules that a new interpreter has imported at the end of some code."""
    run = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    return set(result.stderr.split())


@pytest.mark.parametrize("package", ["skad.metrics", "skad.io"])
def test_a_package_that_needs_no_network_imports_no_torch(package):
    assert not imported_by(f"from {package} import *") & HEAVY


@pytest.mark.parametrize("command", ["", *arguments.COMMANDS])
def test_help_imports_nothing_heavy(command):
    argv = [*command.split(), "--help"]
    assert not imported_by(f"from skad.cli import main\nmain({argv})") & HEAVY


def test_help_of_the_bids_app_imports_nothing_heavy():
    assert not imported_by("from skad.bids_app import main\nmain(['--help'])") & HEAVY


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_is_found_where_it_is_defined(package):
    module = importlib.import_module(package)
    names = getattr(module, "__all__", [])
    assert {*names} <= {*dir(module)}
    for name in names:
        found = getattr(module, name)
        assert found is getattr(sys.modules[getattr(found, "__module__", package)], name, found)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_exported_name_is_hidden_by_a_module_of_the_package(package):
    module = importlib.import_module(package)
    modules = {each.name for each in pkgutil.iter_modules(module.__path__)}
    assert not hasattr(module, "__getattr__") or not modules & {*module.__all__}


def test_a_package_is_found_without_an_import_of_its_own():
    assert "skad.metrics.histogram" in imported_by("import skad\nskad.metrics.ScoreHistogram")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skad' has no attribute 'nothing'"):
        skad.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("names", "defined"),
    [
        (arguments.METHODS, "skad.methods:METHODS"),
        (arguments.SIZES, "skad.demonstration:SIZES"),
        (arguments.SYSTEMS, "skad.demonstration:SYSTEMS"),
        (arguments.FAMILIES, "skad.model_selection.pseudo_anomaly:FAMILIES"),
    ],
)
def test_the_arguments_know_the_names_that_the_commands_know(names, defined):
    assert names == tuple(pkgutil.resolve_name(defined))


@pytest.mark.parametrize(
    ("value", "defined"),
    [
        (arguments.TUNE_TABLE, "skad.persistence.resumable_search:TABLE"),
        (arguments.VIEWERS, "skad.report.gallery:VIEWERS"),
    ],
)
def test_the_arguments_know_the_values_that_the_commands_know(value, defined):
    assert value == pkgutil.resolve_name(defined)


def test_the_arguments_know_the_ways_of_brain_extraction():
    (domain,) = pkgutil.resolve_name("skad.preparation:BrainExtract")._parameter_constraints["method"]
    assert domain.options == {*arguments.BRAINS}


@pytest.mark.parametrize(
    ("command", "option", "function", "parameter"),
    [
        ("calibrate", "--fpr", "skad.calibration:ConformalCalibrator", "fpr"),
        ("calibrate", "--unit", "skad.calibration:ConformalCalibrator", "unit"),
        ("score", "--min-volume", "skad:VolumeAnomalyDetector.score_cohort", "min_volume"),
        ("evaluate", "--size-step", "skad.evaluation:evaluate", "size_step"),
        ("tune", "--folds", "skad.persistence:ResumableSearch.rank", "n_splits"),
        ("prepare", "--brain", "skad.preparation:make_preparation", "brain"),
        ("fit", "--seed", "skad.methods:make_detector", "random_state"),
        ("fit", "--device", "skad.methods:make_detector", "device"),
    ],
)
def test_the_arguments_have_the_defaults_of_what_the_commands_call(command, option, function, parameter):
    (settings,) = (s for names, s in arguments.COMMANDS[command].arguments if option in names)
    called = inspect.signature(pkgutil.resolve_name(function))
    assert settings["default"] == called.parameters[parameter].default
