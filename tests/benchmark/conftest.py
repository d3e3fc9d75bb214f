"""A tiny study, and its results."""

import copy
import dataclasses

import pytest

from skad.benchmark import parse_study, run_study

from .parts import DeadComponent, SingularComponent

TABLE = {
    "seeds": [0, 1],
    "min_seeds": 2,
    "compared_with": "mixture",
    "singularity": ["density"],
    "lesion_size_step": 8,
    "calibration": {"rates": [0.1, 0.4], "patients": [2], "splits": 3, "new": [1]},
    "cohorts": {
        "brains": {
            "loader": "phantom",
            "n_subjects": 5,
            "shape": [16, 20, 10],
            "lesion": "mixed",
            "random_state": 0,
            "folds": {"train": 2, "test": 3},
        },
        "strokes": {
            "loader": "phantom",
            "n_subjects": 2,
            "shape": [16, 20, 10],
            "lesion": "stroke",
            "random_state": 1,
            "trained_on": "brains",
        },
    },
    "preprocessing": {"size": [16, 12]},
    "budget": {"max_epochs": 3, "batch_size": 8},
    "references": {"translation": {"class": "ContrastTranslator", "width": 2, "n_blocks": 1}},
    "methods": {
        "FLAIR": {"class": "IntensityScorer", "contrast": 1, "smoothing": 0.5, "seeds": [0]},
        "mixture": {"class": "MixtureScorer", "n_components": 2},
        "density": {"class": "JointDRGMM", "width": 2, "n_components": 2, "lr": 0.01},
        "residual": {"reference": "translation", "class": "ResidualScorer", "contrasts": [1]},
        "forest": {
            "class": "SklearnScorer",
            "seeds": [0],
            "detector": {"class": "sklearn.ensemble.IsolationForest", "n_estimators": 3},
        },
        "both": {
            "reference": "translation",
            "class": "EnsembleScorer",
            "scorers": [["density", {"method": "density"}], ["residual", {"method": "residual"}]],
        },
    },
}


@pytest.fixture
def table():
    """The tables of the tiny study's TOML, for changing."""
    return copy.deepcopy(TABLE)


def tiny_study():
    """The tiny study, with a method that gives one score only, and one that stops."""
    study = parse_study(copy.deepcopy(TABLE))
    parts = {"dead": DeadComponent, "singular": SingularComponent}
    broken = {name: part({"class": name}, None, (0, 1)) for name, part in parts.items()}
    both = {"methods": study.methods | broken, "singularity": ("density", "singular")}
    return dataclasses.replace(study, **both)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The study and the folder of its results; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    study = tiny_study()
    assert run_study(study, folder, jobs=2, tell=lambda line: None) == {}
    return study, folder
