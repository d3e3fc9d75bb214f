"""``skad tune`` chooses as a plain grid search does, writes what ``skad fit`` writes, and can be resumed."""

import csv

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from skad.cli.arguments import setting
from skad.datasets import load
from skad.methods import make_detector
from skad.model_selection import NormalTrainSplit, PseudoAnomalyScorer
from skad.model_selection.pseudo_anomaly import FAMILIES
from skad.persistence import load as load_detector
from skad.scoring import JointDRGMM
from skad.training.monitors import MONITORS

pytestmark = pytest.mark.filterwarnings(
    "ignore:Persisting input arguments took:UserWarning"
)  # a busy machine

GRID = '[score]\nresidual = ["absolute", "signed"]\n'


@pytest.fixture
def arguments(cohort, tmp_path, fast):
    """A quick search over two configurations."""
    grid = tmp_path / "grid.toml"
    grid.write_text(GRID)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "best.skad"
    return ["tune", cohort, "--method", "adm", "--out", out, "--grid", grid, "--folds", 2, *fast]


@pytest.fixture
def fits(monkeypatch):
    """The residuals of the scorers that are fitted."""
    done, fit = [], JointDRGMM.fit

    def counted(self, X, y=None):
        done.append(self.residual)
        return fit(self, X, y)

    monkeypatch.setattr(JointDRGMM, "fit", counted)
    return done


def rows(folder):
    with open(folder / "out" / "tune.csv", newline="") as file:
        return list(csv.DictReader(file))


def names(folder):
    return sorted(path.name for path in (folder / "out").iterdir())


def plain_search(cohort, fast, scoring):
    """What scikit-learn finds without any cache, and the prepared slices."""
    small = dict(setting(text) for text in fast[fast.index("--set") + 1 :])
    detector = make_detector("adm", parameters=small, max_epochs=1)
    stack = detector.preprocessor.fit_transform(load(cohort))
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            detector.pipeline,
            {"score__residual": ["signed", "absolute"]},
            scoring=scoring.set_score_request(groups=True),
            cv=NormalTrainSplit(n_splits=2),
            refit=False,
        )
        return search.fit(stack.X, stack.y, groups=stack.groups)


def test_it_chooses_as_a_plain_search_does_and_fits_as_skad_fit_does(
    arguments, cohort, fast, fits, tmp_path, run
):
    code, told, _ = run(*arguments)
    assert code == 0 and "3 subjects, 2 configurations of adm, 2 folds: 4 fits." in told
    assert names(tmp_path) == ["best.skad", "tune.csv"]
    assert len(fits) == 4 + 1
    expected = plain_search(cohort, fast, PseudoAnomalyScorer.for_contrasts(load(cohort)[0].contrasts))
    scores = dict(zip(("signed", "absolute"), expected.cv_results_["mean_test_score"], strict=True))
    table = rows(tmp_path)
    assert {row["score__residual"]: float(row["mean_test_score"]) for row in table} == scores
    best = max(scores, key=scores.get)
    assert [row["rank_test_score"] for row in table] == ["1", "2"] and table[0]["score__residual"] == best

    again = tmp_path / "again.skad"
    assert run("fit", cohort, "--method", "adm", "--out", again, *fast, f"score__residual={best}")[0] == 0
    volume = load(cohort)[0]
    np.testing.assert_array_equal(
        load_detector(tmp_path / "out" / "best.skad").score_volume(volume).get_fdata(),
        load_detector(again).score_volume(volume).get_fdata(),
    )


def test_an_interrupted_search_goes_on_with_what_is_left(arguments, fits, tmp_path, monkeypatch, run):
    finished = JointDRGMM.fit

    def interrupted(self, X, y=None):
        if len(fits) == 3:
            raise KeyboardInterrupt
        return finished(self, X, y)

    with monkeypatch.context() as patch:
        patch.setattr(JointDRGMM, "fit", interrupted)
        code, _, err = run(*arguments)
    assert code == 130 and "--resume" in err[-1] and len(fits) == 3
    assert names(tmp_path) == ["best.skad.search"]
    code, _, err = run(*arguments)
    assert_refused((code, "", err), ["best.skad.search holds an unfinished run: resume it (--resume)"])
    assert run(*arguments, "--resume")[0] == 0
    assert len(fits) == 4 + 1
    assert names(tmp_path) == ["best.skad", "tune.csv"]


def test_a_cache_serves_another_search_and_stays(arguments, fits, cohort, fast, tmp_path, run):
    cache = tmp_path / "cache"
    assert run(*arguments, "--cache", cache)[0] == 0
    assert run(*arguments, "--cache", cache, "--overwrite", "--family", "blobs")[0] == 0
    assert len(fits) == 4 + 1 + 1  # only the best is fitted again
    assert names(tmp_path) == ["best.skad", "tune.csv"] and any(cache.iterdir())
    scoring = PseudoAnomalyScorer(families={"blobs": FAMILIES["blobs"]})
    expected = plain_search(cohort, fast, scoring).cv_results_["mean_test_score"]
    assert {float(row["mean_test_score"]) for row in rows(tmp_path)} == set(expected)


def test_a_dask_cluster_fits_the_same(arguments, tmp_path, run):
    distributed = pytest.importorskip("dask.distributed", reason="needs the extra [distributed]")
    assert run(*arguments)[0] == 0
    scores = [row["mean_test_score"] for row in rows(tmp_path)]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert run(*arguments, "--overwrite", "--dask", cluster.scheduler_address)[0] == 0
    assert [row["mean_test_score"] for row in rows(tmp_path)] == scores


def test_a_configuration_that_fails_is_told_and_the_best_of_the_others_taken(
    arguments, tmp_path, monkeypatch, run
):
    fit = JointDRGMM.fit

    def failing(self, X, y=None):
        if self.residual == "absolute":
            raise ValueError("no.")
        return fit(self, X, y)

    monkeypatch.setattr(JointDRGMM, "fit", failing)
    code, _, err = run(*arguments)
    told = [line for line in err if line.startswith("skad tune: ")]
    assert code == 1 and len(told) == 1 and "score__residual='absolute': could not be fitted" in told[0]
    assert [row["score__residual"] for row in rows(tmp_path)] == ["signed", "absolute"]
    assert load_detector(tmp_path / "out" / "best.skad").pipeline_["score"].residual == "signed"


def test_when_all_fail_the_reason_is_told_and_nothing_is_left(arguments, tmp_path, monkeypatch, run):
    def failing(self, X, y=None):
        raise ValueError("Covariances are singular.")

    monkeypatch.setattr(JointDRGMM, "fit", failing)
    monkeypatch.setattr("skad.reconstruction.ContrastTranslator.fit", failing)
    code, _, err = run(*arguments)
    assert code == 2 and err[-1] == "skad tune: ValueError: Covariances are singular."
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score__n_component = [2]", ["score__n_component", "did you mean score__n_components"]),
        ("[score]\nn_components = 2", ["score__n_components should be a list of values", "got 2"]),
        ("[score]\nn_components = [2, -1]", ["n_components", "-1"]),
        ("[preprocessor]\nsize = [[32, 32]]", ["preprocessor__size", "use --set"]),
        ("", ["should hold lists of values", "got none"]),
        ("score: 1", ["grid.toml is not TOML"]),
    ],
)
def test_a_mistake_in_the_grid_is_told_before_any_work(text, words, arguments, tmp_path, run):
    (tmp_path / "grid.toml").write_text(text)
    assert_refused(run(*arguments), words)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--folds", 4], ["--folds should be from 2 to 3", "got 4"]),
        (["--family", "tumors"], ["'tumors'", "blobs"]),
        (["--where", "age=3"], ["no column 'age'"]),
        (["--grid", "nowhere.toml"], ["nowhere.toml"]),
    ],
)
def test_a_mistake_in_an_option_leaves_nothing_behind(options, words, arguments, tmp_path, run):
    assert_refused(run(*arguments, *options), words)
    assert names(tmp_path) == []


def test_a_scheduler_that_is_not_there_is_told(arguments, tmp_path, run):
    dask = pytest.importorskip("dask", reason="needs the extra [distributed]")
    with dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}):
        assert_refused(
            run(*arguments, "--dask", "tcp://127.0.0.1:9"), ["tcp://127.0.0.1:9", "dask scheduler"]
        )
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["best.skad", "tune.csv"])
def test_nothing_is_overwritten_by_accident(name, arguments, tmp_path, run):
    (tmp_path / "out" / name).write_text("precious")
    assert_refused(run(*arguments), [f"{name} already exists", "--overwrite"])
    assert (tmp_path / "out" / name).read_text() == "precious"


def assert_refused(ran, words):
    code, _, err = ran
    assert code == 2 and len(err) == 1, err
    for word in words:
        assert word in err[0]


def test_every_training_of_the_search_is_shown(arguments, tmp_path, run, monkeypatch):
    """Two folds and the last fit, two networks each; the scorers of both configurations share one network."""
    runs = []

    def monitor(value):
        return lambda name: runs.append((value, name)) or Callback()

    monkeypatch.setitem(MONITORS, "tensorboard", monitor)
    assert run(*arguments, "--callback", "tensorboard=curves")[0] == 0
    names = [name for value, name in runs if value == "curves"]
    assert len(names) == len(runs) == 2 * (1 + 2) + 2
    assert [name.partition("-")[0] for name in names] == [f"{i:02d}" for i in range(8)]
