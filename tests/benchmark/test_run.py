"""A whole tiny study: what comes out is what the metrics say, every time, whatever happens on the way."""

import dataclasses
from itertools import product

import numpy as np
import pytest

from skad.benchmark import run_study, write_tables
from skad.benchmark.layout import Layout, Step
from skad.benchmark.results import TABLES, read_results, read_rows
from skad.benchmark.slices import CohortSlices
from skad.metrics import (
    foreground_average_precision_score,
    foreground_best_dice_score,
    foreground_best_dice_threshold,
    foreground_rates,
    foreground_roc_auc_score,
)
from skad.persistence import load
from skad.scoring import IntensityScorer, ResidualScorer

from .parts import KilledComponent

FOLDS = ("validation", "test", "strokes")
METHODS = ("mixture", "density", "residual", "both")


@pytest.fixture
def results(finished):
    return read_results(finished[1])


@pytest.fixture
def slices(finished):
    return CohortSlices(Layout(*finished).cohort_folder("brains"))


def rows_of(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_there_is_a_row_for_every_method_seed_and_patient(results, slices):
    expected = {
        (name, seed, fold, patient)
        for name, seed, fold in product(METHODS, [0, 1], FOLDS)
        for patient in slices.patients(fold)
    }
    found = [
        (r["method"], r["seed"], r["fold"], r["subject"]) for r in results["scans"] if r["label"] == "any"
    ]
    assert len(found) == len(set(found))
    assert {row for row in found if row[0] in METHODS} == expected


def test_only_normal_slices_of_training_patients_are_learned_from(slices):
    train, test = set(slices.patients("train")), set(slices.patients("test"))
    assert len(train) == 2 and len(test) == 3 and not train & test
    assert set(slices.patients("validation")) <= train
    assert slices.y("validation").any(axis=(1, 2)).all()
    assert not (slices.folder / "train_labels.npy").exists()


@pytest.mark.parametrize("fold", FOLDS)
def test_scores_are_those_of_the_metrics(results, slices, fold):
    scorer = IntensityScorer(contrast=1, smoothing=0.5).fit(slices.X("train"))
    y, anomaly = slices.y(fold), -scorer.score_samples(slices.X(fold))
    threshold = foreground_best_dice_threshold(
        slices.y("validation"), -scorer.score_samples(slices.X("validation"))
    )
    rates = foreground_rates(y, anomaly, threshold=threshold)
    (row,) = rows_of(results["pooled"], method="FLAIR", fold=fold, label="any")
    assert row["roc_auc"] == foreground_roc_auc_score(y, anomaly)
    assert row["average_precision"] == foreground_average_precision_score(y, anomaly)
    assert row["best_dice"] == foreground_best_dice_score(y, anomaly)
    for name, rate in (("precision", "precision"), ("sensitivity", "sensitivity"), ("dice", "f1")):
        assert row[name] == pytest.approx(rates[rate], abs=1e-15)
    for row in rows_of(results["scans"], method="FLAIR", fold=fold, label="any"):
        inside = slices.patients(fold) == row["subject"]
        assert row["n_abnormal"] == (y[inside] > 0)[~np.isnan(anomaly[inside])].sum()
        assert row["roc_auc"] == foreground_roc_auc_score(y[inside], anomaly[inside])


def test_a_method_is_given_the_pairs_of_its_reference(finished, results, slices):
    layout = Layout(*finished)
    folder = layout.folder(Step("brains", "translation", 1))
    reference = load(folder / "fitted.skad")
    pairs = {fold: reference.transform(slices.X(fold)) for fold in ("train", "test")}
    np.testing.assert_array_equal(np.load(folder / "test.npy"), pairs["test"])
    scorer = ResidualScorer(contrasts=[1]).fit(pairs["train"])
    (row,) = rows_of(results["pooled"], method="residual", seed=1, fold="test", label="any")
    anomaly = -scorer.score_samples(pairs["test"])
    assert row["roc_auc"] == foreground_roc_auc_score(slices.y("test"), anomaly)


def test_an_ensemble_uses_the_methods_that_are_fitted_already(finished, results, slices):
    layout = Layout(*finished)
    ensemble = load(layout.folder(Step("brains", "both", 1, True)) / "fitted.skad")
    pairs = np.load(layout.folder(Step("brains", "translation", 1)) / "test.npy")
    for member, name, X in zip(ensemble.scorers_, ("density", "residual"), (pairs[:, 0], pairs), strict=True):
        alone = load(layout.folder(Step("brains", name, 1, True)) / "fitted.skad")
        np.testing.assert_array_equal(member.score_samples(X), alone.score_samples(X))
    (cost,) = rows_of(results["costs"], method="both", seed=1)
    (density,) = rows_of(results["costs"], method="density", seed=1)
    assert cost["minutes"] > density["minutes"] and cost["parameters"] > density["parameters"]


def test_a_shared_reference_counts_in_the_cost_of_its_users(finished, results):
    (row,) = rows_of(results["costs"], method="residual", seed=0)
    assert row["parameters"] > 0 and row["minutes"] > 0 and row["resumed"] == 0
    (density,) = rows_of(results["costs"], method="density", seed=0)
    assert 0 < density["parameters"] < row["parameters"] and density["gigabytes"] > 0.05


def test_what_says_nothing_has_collapsed_and_what_ends_has_stopped(results):
    status = {(r["method"], r["seed"]): r["status"] for r in results["runs"]}
    assert status["FLAIR", 0] == status["mixture", 1] == "ok"
    assert status["forest", 0] == "ok"  # though no skad file can hold it
    assert status["dead", 0] == status["dead", 1] == "collapsed: the score is constant"
    assert status["singular", 0] == "stopped: Covariances should be positive definite."
    assert not rows_of(results["scans"], method="singular")


def test_the_losses_of_every_epoch_are_kept(results):
    rows = rows_of(results["curves"], method="density", seed=0, loss="energy")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_the_losses_of_references_are_kept_too(results):
    rows = rows_of(results["curves"], method="translation", seed=1, loss="loss")
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_a_killed_training_resumes_to_the_same_tables(finished, tmp_path):
    """Another folder, another number of jobs, and a process that is killed in each training of a method."""
    study, folder = finished
    killed = KilledComponent(**vars(study.methods["density"]), markers=tmp_path)
    study = dataclasses.replace(study, methods=study.methods | {"density": killed})
    errors = run_study(study, tmp_path / "out", jobs=1, tell=lambda line: None)
    names = [f"{name}, seed {seed}, on brains" for name in ("both", "density") for seed in (0, 1)]
    assert sorted(errors) == names
    assert all(isinstance(errors[name], ChildProcessError) for name in names[2:])
    assert all("'density', which it needs, failed" in str(errors[name]) for name in names[:2])
    status = rows_of(read_rows(tmp_path / "out" / "runs.csv"), method="density")
    assert all(row["status"].startswith("failed: its process ended with code -9") for row in status)

    told = []
    assert run_study(study, tmp_path / "out", tell=told.append) == {}
    assert sorted(told) == [f"{name}: done" for name in names]
    for name in TABLES:
        assert (tmp_path / "out" / f"{name}.csv").read_bytes() == (folder / f"{name}.csv").read_bytes(), name
    for out in (folder, tmp_path / "out"):
        write_tables(study, out)
    for path in (folder / "tables").glob("*.csv"):
        if not path.name.endswith("_costs.csv"):
            assert path.read_bytes() == (tmp_path / "out" / "tables" / path.name).read_bytes(), path.name
    costs = read_rows(tmp_path / "out" / "costs.csv")
    assert {r["method"] for r in costs if r["resumed"]} == {"both", "density"}


def test_another_setting_is_another_folder(finished, table):
    layout = Layout(*finished)
    step = Step("brains", "residual", 0, True)
    reference = finished[0].references["translation"]
    wider = dataclasses.replace(reference, table=reference.table | {"width": 3})
    changed = Layout(dataclasses.replace(layout.study, references={"translation": wider}), layout.out)
    assert changed.folder(step) != layout.folder(step)
    other = Step("brains", "mixture", 0, True)
    assert changed.folder(other) == layout.folder(other)


def test_an_unknown_method_is_told_before_anything_is_done(finished, tmp_path):
    with pytest.raises(ValueError, match="no method 'mixtrue': did you mean mixture"):
        run_study(finished[0], tmp_path, only=["mixtrue"])
    assert not list(tmp_path.iterdir())


def test_a_cohort_that_cannot_be_made_is_told(finished, tmp_path):
    cohort = dataclasses.replace(finished[0].cohorts["brains"], folds={"train": 4, "test": 2})
    study = dataclasses.replace(finished[0], cohorts={"brains": cohort})
    with pytest.raises(ValueError, match=r"6 patients .* there are 5"):
        run_study(study, tmp_path)
