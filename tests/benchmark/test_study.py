"""TOML to a study: mistakes are told in one sentence that names the nearest valid name."""

from pathlib import Path

import pytest
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator

from skad.augmentation import Augmentation
from skad.benchmark import parse_study, read_study
from skad.benchmark.components import build
from skad.scoring import JointDRGMM, SklearnScorer

STUDIES = sorted((Path(__file__).parents[2] / "benchmarks" / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_studies_that_come_with_skad_are_valid(path):
    study = read_study(path)
    assert study.name == path.stem
    assert set(study.drawn) <= set(study.methods)
    for component in [*study.references.values(), *study.methods.values()]:
        if not component.needs:  # the others are built from what is fitted
            component.build(0, {})


def _set(table, path, value):
    *parents, last = path
    for key in parents:
        table = table[key]
    table[last] = value


@pytest.mark.parametrize(
    "path, value, message",
    [
        (["method"], {}, "no key of a study 'method': did you mean methods"),
        (["methods", "density", "class"], "JointDRGM", "'density': .*'JointDRGM': did you mean JointDRGMM"),
        (["methods", "density", "widht"], 2, "'density': .*'widht': did you mean width"),
        (["methods", "density", "width"], 0, "'width' parameter of JointDRGMM must be an int"),
        (["methods", "density", "class"], "Augmentation", "no reconstructor or scorer 'Augmentation'"),
        (["methods", "residual", "reference"], "translatoin", "'residual', .*did you mean translation"),
        (["methods", "density", "augmentation"], {"class": "os.path"}, "should come from sklearn, pyod"),
        (["methods", "density", "augmentation"], {"class": "sklearn.no.X"}, "cannot be imported"),
        (["references", "translation", "seeds"], [0], "'residual' has seeds that 'translation', .* lacks"),
        (
            ["methods", "both", "reference"],
            None,
            "'both' should have the reference 'translation' of 'residual'",
        ),
        (["methods", "both", "scorers"], [["a", {"method": "densty"}]], "'densty': did you mean density"),
        (["methods", "translation"], {"class": "MixtureScorer"}, "name of a reference and of a method"),
        (["references", "translation", "reference"], "translation", "from images, without a reference"),
        (["budget", "max_epoch"], 3, "for the budget, 'max_epoch': did you mean max_epochs"),
        (
            ["calibration", "rates"],
            [1.5],
            "calibration should be numbers between 0 and 1",
        ),
        (["calibration", "patients"], [], "patients of calibration should be integers of at least 1"),
        (["calibration", "rate"], [0.1], "key of calibration, 'rate': did you mean rates"),
        (["preprocessing", "siez"], [8, 8], "of preprocessing 'siez': did you mean size"),
        (["preprocessing", "intensity"], "z", "'intensity' parameter of VolumePreprocessor must be"),
        (["cohorts", "brains", "loader"], "phantm", "loader .*'phantm': did you mean phantom"),
        (["cohorts", "brains", "leison"], "ms", "loader 'phantom' 'leison': did you mean lesion"),
        (["cohorts", "brains", "loader"], "bids", "of the loader 'bids'"),
        (["cohorts", "brains", "folds"], {"train": 2}, "should have test = a number"),
        (["cohorts", "brains", "folds"], {"train": 2, "test": "all"}, "should be a number .*'all'"),
        (["cohorts", "strokes", "trained_on"], "brain", "trained_on, 'brain': did you mean brains"),
        (["seeds"], [-1], "seeds should be a list of integers of at least 0"),
        (["compared_with"], "mixtrue", "compared_with, 'mixtrue': did you mean mixture"),
        (["singularity"], ["x"], "for the figure singularity, 'x': there are FLAIR, both, density, forest"),
        (["methods"], {}, "methods should hold at least one table"),
        (["cohorts", "brains", "random_state"], "None", "should have an integer random_state"),
        (["apart"], {"method": "FLAIR"}, "apart should have below, title"),
        (["protocol"], {"views": {"test": 2}}, "should have an augmentation"),
        (["protocol"], {"slices_per_patient": 0}, "should be an integer of at least 1"),
        (["planted"], {"n_slice": 3}, "no key of planted, 'n_slice': did you mean n_slices"),
        (["fidelity"], {"segmenter": {"widht": 3}}, "'widht': did you mean width"),
    ],
)
def test_a_mistake_is_told_with_the_nearest_name(table, path, value, message):
    _set(table, path, value)
    with pytest.raises(ValueError, match=message):
        parse_study(table)


def test_references_that_need_each_other_are_told(table):
    search = {"class": "LatentSearchTransformer"}
    table["references"]["a"] = search | {"reconstructor": {"reference": "b"}}
    table["references"]["b"] = search | {"reconstructor": {"reference": "a"}}
    with pytest.raises(ValueError, match="a, b depend on each other"):
        parse_study(table)


def test_a_reference_comes_after_those_it_needs(table):
    table["references"] = {
        "search": {"class": "LatentSearchTransformer", "reconstructor": {"reference": "translation"}},
        **table["references"],
    }
    assert parse_study(table).waves()[:2] == [
        ["translation", "FLAIR", "mixture", "density", "forest"],
        ["search", "residual"],
    ]


def test_the_budget_fills_what_a_table_leaves_open(table):
    table["budget"]["augmentation"] = {
        "class": "Augmentation",
        "geometry": {"class": "Geometry", "scaling": 0.1},
    }
    table["methods"]["density"]["max_epochs"] = 7
    density = parse_study(table).methods["density"].build(5)
    assert isinstance(density, JointDRGMM) and isinstance(density.augmentation, Augmentation)
    assert (density.max_epochs, density.batch_size, density.random_state) == (7, 8, 5)
    assert density.augmentation.geometry.scaling == 0.1


def test_a_table_inside_a_table_is_an_estimator_and_none_can_be_said():
    forest = {"class": "sklearn.ensemble.IsolationForest", "n_estimators": 3, "max_samples": "None"}
    scorer = build({"class": "SklearnScorer", "detector": forest}, seed=4)
    assert isinstance(scorer, SklearnScorer) and isinstance(scorer.detector, IsolationForest)
    found = scorer.detector.get_params()
    assert (found["n_estimators"], found["max_samples"], found["random_state"]) == (3, None, 4)


def test_a_fitted_reference_is_put_in_frozen():
    fitted = JointDRGMM()
    part = {"class": "LatentSearchTransformer", "reconstructor": {"reference": "introvae"}}
    search = build(part, seed=0, fitted={"introvae": fitted})
    assert isinstance(search.reconstructor, FrozenEstimator) and search.reconstructor.estimator is fitted


@pytest.mark.parametrize("text, message", [("a = ", "study.toml: Invalid value"), (None, "cannot be read")])
def test_a_file_that_is_none_is_named(tmp_path, text, message):
    path = tmp_path / "study.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_study(path)
