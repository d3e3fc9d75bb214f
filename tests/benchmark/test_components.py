"""A study names estimators and callbacks, and nothing else is built from it."""

import pytest
from sklearn.ensemble import IsolationForest
from skorch.callbacks import LRScheduler

from skad.benchmark import parse_study, read_study
from skad.benchmark.components import find_class


def study(detector):
    method = {"class": "SklearnScorer", "detector": detector}
    cohort = {"loader": "phantom", "folds": {"train": 2, "test": 2}}
    return {"cohort": cohort, "methods": {"method": method}}


def test_estimators_and_schedules_are_found_where_they_are_defined():
    assert find_class("sklearn.ensemble.IsolationForest") is IsolationForest
    assert find_class("skorch.callbacks.LRScheduler") is LRScheduler


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.datasets.GzipFile",
        "sklearn.datasets._base.GzipFile",
        "sklearn.utils.fixes.memmap",
        "sklearn.utils.Bunch",
        "sklearn.pipeline.defaultdict",
        "skorch.callbacks.logging.Path",
        "skorch.callbacks.training.NeuralNet",
        "skorch.callbacks.Checkpoint",
        "skorch.callbacks.LoadInitState",
        "sklearnx.ensemble.IsolationForest",
        "os.system",
        "skad.cli.main",
    ],
)
def test_what_a_package_imports_or_what_is_no_estimator_is_not_handed_out(name):
    with pytest.raises(ValueError, match=name.rpartition(".")[2]):
        find_class(name)


@pytest.mark.parametrize(
    "part",
    [
        {"class": "sklearn.datasets._base.GzipFile", "mode": "wb"},
        {"class": "sklearn.utils.fixes.memmap", "mode": "w+", "shape": [8]},
    ],
)
def test_parsing_a_study_writes_no_file(part, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with pytest.raises(ValueError, match="class"):
        parse_study(study({**part, "filename": str(victim)}))
    assert victim.read_text() == "precious"


def test_a_cache_is_not_set_by_a_study():
    with pytest.raises(ValueError, match="a cache holds pickles"):
        parse_study(study({"class": "sklearn.pipeline.Pipeline", "steps": [], "memory": "cache"}))


@pytest.mark.parametrize(
    "text", ["cohort = 3\nmethods = 4", "x = " + "[" * 3000 + "]" * 3000, "methods = [1]", "title = '\udcff'"]
)
def test_a_file_that_is_no_study_is_named(text, tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"x\.toml"):
        read_study(path)


def test_a_file_too_large_for_a_study_is_not_parsed(tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(b"#" * 2**20)
    with pytest.raises(ValueError, match="at most"):
        read_study(path)
