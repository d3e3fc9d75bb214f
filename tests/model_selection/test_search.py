"""Searches train nothing twice, never take one fit for another, and survive being killed."""

import copy
import multiprocessing
import pickle

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import EarlyStopping

import skad.utils.pickling
from skad.model_selection import CachedFit, NormalTrainSplit, PseudoAnomalyScorer
from skad.scoring import ResidualScorer
from tests.model_selection.counting import (
    FUSE,
    GRID,
    LOG,
    Scorer,
    inside,
    make_data,
    pipeline,
    reference,
    search,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:Persisting input arguments took:UserWarning"
)  # a busy machine


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """How often something was done: ``fits("reference")``."""
    log = tmp_path / "fits.log"
    log.touch()
    monkeypatch.setenv(LOG, str(log))
    monkeypatch.setenv(FUSE, str(tmp_path / "fuse"))
    return lambda *words: tuple(log.read_text().split().count(word) for word in words)


@pytest.fixture
def memory(tmp_path):
    return joblib.Memory(tmp_path / "memory", verbose=0)


@pytest.fixture(scope="module")
def data():
    return make_data()


def test_parameters_of_the_scorer_do_not_retrain_the_reference(data, fits, memory):
    expected = search(pipeline(), data)
    assert fits("reference", "score") == (8, 8)
    np.testing.assert_array_equal(search(pipeline(memory), data), expected)
    assert fits("reference", "score") == (8 + 2, 8 + 8)  # one reference per fold


def test_references_and_scorers_are_searched_against_each_other(data, fits, memory):
    steps = {
        "reference": [reference(), reference(n_blocks=1)],
        "score": [Scorer(n_components=2, width=2, max_epochs=1, random_state=0), ResidualScorer()],
    }
    scores = search(CachedFit(pipeline(), memory=memory), data, inside(steps))
    assert np.unique(scores).size == 8
    assert fits("reference", "score") == (4, 4)


def test_a_search_after_the_first_trains_nothing(data, fits, memory):
    first = search(CachedFit(pipeline(), memory=memory), data, inside(GRID))
    assert fits("reference", "score") == (2, 8)
    np.testing.assert_array_equal(search(CachedFit(pipeline(), memory=memory), data, inside(GRID)), first)
    assert fits("reference", "score") == (2, 8)


def test_a_halving_search_does_not_retrain_either(data, fits, memory):
    X, y, groups = data
    found = []
    for _ in range(2):
        halving = HalvingGridSearchCV(
            CachedFit(pipeline(), memory=memory),
            {"estimator__score__n_components": [1, 2]},
            resource="estimator__score__max_epochs",
            min_resources=1,
            max_resources=2,
            factor=2,
            scoring=PseudoAnomalyScorer(n_slices=4),
            cv=NormalTrainSplit(n_splits=2),
            refit=False,
        ).fit(X, y, groups=groups)
        found.append(halving.cv_results_["mean_test_score"])
    assert fits("reference", "score") == (2, 2 * 2 + 2)  # both for one epoch, the better one for two
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_what_is_read_back_is_what_was_learned(mmap_mode, data, fits, tmp_path):
    X = data[0]
    memory = joblib.Memory(tmp_path / "memory", mmap_mode=mmap_mode, verbose=0)
    whole = pipeline().fit(X)
    for _ in range(2):
        found = pipeline(memory).fit(X)
        np.testing.assert_array_equal(found.score_samples(X), whole.score_samples(X))
        assert found["reference"].loss_curve_ == whole["reference"].loss_curve_
        assert not found["reference"].module_.training
    assert fits("reference") == (2,)


def test_without_a_seed_every_fit_is_another(data, fits, memory):
    X = data[0]
    a, b = (pipeline(memory, random_state=None).fit(X)["reference"].reconstruct(X) for _ in range(2))
    assert fits("reference") == (2,)
    assert not np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize(
    "parameters",
    [{"callbacks": [EarlyStopping(monitor="train_loss")]}, {"lr": 1e-2}, {"precision": "bf16"}],
)
def test_whatever_may_change_a_fit_is_in_its_key(parameters, data, fits, memory):
    X = data[0]
    for _ in range(2):
        pipeline(memory).fit(X)
        pipeline(memory, **copy.deepcopy(parameters)).fit(X)
    assert fits("reference") == (2,)


def test_another_version_of_skad_trains_anew(data, fits, memory, monkeypatch):
    pipeline(memory).fit(data[0])
    monkeypatch.setattr(skad.utils.pickling, "__version__", "99")
    pipeline(memory).fit(data[0])
    assert fits("reference") == (2,)


def test_pairs_of_a_frozen_reference_are_computed_once(data, fits, memory):
    X = data[0]
    frozen = FrozenEstimator(reference().fit(X))
    for each in (frozen, pickle.loads(pickle.dumps(frozen)), FrozenEstimator(reference().fit(X))):
        Pipeline([("reference", each), ("score", ResidualScorer())], memory=memory).fit(X)
    assert fits("pairs") == (1,)
    other = FrozenEstimator(reference(random_state=1).fit(X))
    Pipeline([("reference", other), ("score", ResidualScorer())], memory=memory).fit(X)
    assert fits("pairs") == (2,)


def test_a_killed_search_goes_on_in_two_processes_with_what_is_left(data, fits, memory, tmp_path):
    estimator = CachedFit(pipeline(), memory=memory)
    (tmp_path / "fuse").touch()
    killed = multiprocessing.get_context("spawn").Process(target=search, args=(estimator, data, inside(GRID)))
    killed.start()
    killed.join()
    assert killed.exitcode == -9
    assert fits("reference", "score") == (2, 4)
    get_reusable_executor().shutdown()  # older workers do not know where to count
    with joblib.parallel_config(max_nbytes=1):  # X arrives as a memory map
        resumed = search(estimator, data, inside(GRID), n_jobs=2)
    assert fits("reference", "score") == (2, 8)
    np.testing.assert_array_equal(resumed, search(pipeline(), data))


@pytest.fixture
def dask(fits):
    """A cluster of two processes on this machine."""
    distributed = pytest.importorskip("dask.distributed", reason="needs the extra [distributed]")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.filterwarnings("ignore::UserWarning:distributed", "ignore::ResourceWarning")
def test_dask_gives_the_same_scores_even_when_a_worker_is_killed(dask, data, fits, memory, tmp_path):
    expected = search(pipeline(), data)
    with joblib.parallel_config(backend="dask"):
        np.testing.assert_array_equal(search(pipeline(), data), expected)
        (tmp_path / "fuse").touch()
        found = search(CachedFit(pipeline(), memory=memory), data, inside(GRID))
    assert not (tmp_path / "fuse").exists()
    np.testing.assert_array_equal(found, expected)
