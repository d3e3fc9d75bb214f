"""The same search for every method: as many tries, and the validation fold decides."""

import json

import numpy as np
import pytest

from skad.benchmark import parse_study, run_study
from skad.benchmark.layout import Layout, Step
from skad.benchmark.results import read_results
from skad.benchmark.slices import CohortSlices
from skad.metrics import foreground_roc_auc_score
from skad.model_selection import PseudoAnomalyScorer
from skad.persistence import load
from skad.scoring import IntensityScorer


@pytest.fixture
def tuned(table):
    """A study with two methods, of which each has two configurations."""
    table["methods"] = {
        "FLAIR": {"class": "IntensityScorer", "contrast": 1, "grid": {"smoothing": [0.5, 6.0]}},
        "residual": {
            "reference": "translation",
            "class": "ResidualScorer",
            "grid": {"contrasts": [[0], [1]], "smoothing": [0.0, 1.0]},
        },
        "mixture": {"class": "MixtureScorer", "n_components": 2, "grid": {}},
    }
    table["singularity"] = []
    table["seeds"] = [0]
    table["tuning"] = {"tries": 2}
    return table


def test_the_configuration_with_the_best_validation_score_is_run(tuned, tmp_path):
    study = parse_study(tuned)
    assert run_study(study, tmp_path, tell=lambda line: None) == {}
    results = read_results(tmp_path)
    slices = CohortSlices(Layout(study, tmp_path).cohort_folder("brains"))
    y, X = slices.y("validation"), slices.X("validation")
    scores = []
    for smoothing in (0.5, 6.0):
        scorer = IntensityScorer(contrast=1, smoothing=smoothing).fit(slices.X("train"))
        scores.append(foreground_roc_auc_score(y, -scorer.score_samples(X)))
    rows = [row for row in results["tuning"] if row["method"] == "FLAIR"]
    assert [row["score"] for row in rows] == scores
    best = int(np.argmax(scores))
    assert [row["chosen"] for row in rows] == [int(i == best) for i in (0, 1)]
    assert json.loads(rows[best]["settings"])["smoothing"] == (0.5, 6.0)[best]
    (row,) = [
        r for r in results["pooled"] if (r["method"], r["fold"], r["label"]) == ("FLAIR", "validation", "any")
    ]
    assert row["roc_auc"] == scores[best]
    assert [r["method"] for r in results["tuning"]] == ["FLAIR"] * 2 + ["residual"] * 2
    assert {r["method"] for r in results["runs"]} == {"FLAIR", "residual", "mixture"}


def test_without_labels_planted_lesions_decide(tuned, tmp_path):
    del tuned["methods"]["FLAIR"], tuned["methods"]["mixture"], tuned["compared_with"]
    tuned["tuning"]["on"] = "planted"
    study = parse_study(tuned)
    assert run_study(study, tmp_path, tell=lambda line: None) == {}
    layout = Layout(study.trials(), tmp_path)
    step = Step("brains", "residual, configuration 2", 0, True)
    scorer = load(layout.folder(step) / "fitted.skad")
    translation = load(layout.folder(layout.needed(step)["translation"]) / "fitted.skad")
    slices = CohortSlices(layout.cohort_folder("brains"))

    class Detector:
        def score_samples(self, X):
            return scorer.score_samples(translation.transform(X))

    X, patients = slices.normal()
    expected = PseudoAnomalyScorer().score(Detector(), X, groups=patients)
    row = read_results(tmp_path)["tuning"][1]
    assert row["score"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t["methods"]["FLAIR"].pop("grid"), "'FLAIR' should have a grid, as every method"),
        (lambda t: t["tuning"].update(tries=3), "The grid of 'FLAIR' should hold 3 configurations, got 2"),
        (lambda t: t.pop("tuning"), r"'FLAIR' has a grid: set tries in \[tuning\]"),
        (lambda t: t["tuning"].update(on="dice"), "no score to tune on, 'dice'"),
        (lambda t: t["methods"]["FLAIR"]["grid"].update(smothing=[1]), "'smothing': did you mean smoothing"),
    ],
)
def test_a_search_that_is_not_the_same_for_all_is_refused(tuned, change, message):
    change(tuned)
    with pytest.raises(ValueError, match=message):
        parse_study(tuned)


def test_more_configurations_than_tries_are_drawn_once(tuned):
    study = parse_study(tuned)
    assert len(study.candidates["residual"]) == 2
    again = parse_study(tuned)
    assert [c.table for c in again.candidates["residual"]] == [c.table for c in study.candidates["residual"]]


def test_one_entry_stands_for_every_combination(table):
    table["methods"] = {
        "mixture of {n_components}, {covariance}": {
            "class": "MixtureScorer",
            "each": {"n_components": [1, 2], "contamination": [0.01]},
        }
    }
    with pytest.raises(ValueError, match="should name its values"):
        parse_study(table)
    part = table["methods"].pop("mixture of {n_components}, {covariance}")
    table["methods"]["mixture of {n_components}"] = part
    table["compared_with"], table["singularity"] = "mixture of 1", []
    study = parse_study(table)
    assert {n: c.table["n_components"] for n, c in study.methods.items()} == {
        "mixture of 1": 1,
        "mixture of 2": 2,
    }
