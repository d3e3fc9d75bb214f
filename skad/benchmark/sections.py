"""The sections of a study's file: cohorts, preprocessing, search, and what is measured."""

import inspect
from collections.abc import Mapping
from typing import Any

from skad.benchmark.components import complete
from skad.benchmark.folds import FOLDS, check_folds
from skad.benchmark.loaders import LOADERS
from skad.benchmark.shifts import check_shift
from skad.benchmark.study import Cohort, Judging, Protocol, Tuning
from skad.evaluation.scan import RANKING
from skad.preprocessing import VolumePreprocessor
from skad.utils.names import check_keys, check_name


def read_tuning(table: Mapping[str, Any]) -> Tuning:
    """The search that every method gets."""
    check_keys(table, ("tries", "seed", "on"), "key of tuning,")
    on = check_name(table.get("on", "roc_auc"), (*RANKING, "planted"), "score to tune on,")
    return Tuning(positive(table, "tries", 0), table.get("seed", 0), on)


def read_judging(table: Mapping[str, Any]) -> Judging:
    """What is measured of every method."""
    planted = table.get("planted")
    if planted is not None:
        check_keys(planted, ("n_slices", "families"), "key of planted,")
        families = {name: complete(part, {}) for name, part in planted.get("families", {}).items()}
        planted = {"n_slices": positive(planted, "n_slices", 256), "families": families}
    return Judging(
        lesion_size_step=positive(table, "lesion_size_step", 200),
        classwise=bool(table.get("classwise", False)),
        planted=planted,
        pictures=positive(table, "pictures", 1) if table.get("pictures") else 0,
        calibration=read_calibration(table.get("calibration")),
    )


def read_calibration(table: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Target false-positive rates, and on how many patients they are calibrated how often."""
    if table is None:
        return None
    check_keys(table, ("rates", "patients", "splits", "new"), "key of calibration,")
    rates, patients, new = (table.get(key, []) for key in ("rates", "patients", "new"))
    if not rates or not all(isinstance(rate, float) and 0 < rate < 1 for rate in rates):
        raise ValueError(f"rates of calibration should be numbers between 0 and 1, got {rates!r}.")
    for key, counts in (("patients", patients), ("new", new)):
        if not all(isinstance(n, int) and n > 0 for n in counts) or (key == "patients" and not counts):
            raise ValueError(f"{key} of calibration should be integers of at least 1, got {counts!r}.")
    return {"rates": rates, "patients": patients, "new": new, "splits": positive(table, "splits", 200)}


def read_protocol(table: Mapping[str, Any]) -> Protocol:
    """Which slices are taken and how folds are enlarged."""
    check_keys(table, ("slices_per_patient", "views", "augmentation"), "key of protocol,")
    views = check_keys(table.get("views", {}), ("validation", "test"), "fold for views,")
    for fold in views:
        positive(views, fold, 1)
    if views and "augmentation" not in table:
        raise ValueError("protocol should have an augmentation that makes the views.")
    augmentation = complete(table["augmentation"], {}) if "augmentation" in table else {}
    n_slices = positive(table, "slices_per_patient", 1) if "slices_per_patient" in table else None
    return Protocol(n_slices, dict(views), augmentation)


def read_fidelity(table: Mapping[str, Any] | None, budget: Mapping[str, Any]) -> dict[str, Any] | None:
    """How references are judged."""
    if table is None:
        return None
    check_keys(table, ("segmenter", "anatomy", "n_tissues"), "key of fidelity,")
    anatomy = read_cohort("anatomy", table["anatomy"] | {"trained_on": "-"}) if "anatomy" in table else None
    segmenter = complete({"class": "AnatomySegmenter"} | table.get("segmenter", {}), budget)
    return {"segmenter": segmenter, "anatomy": anatomy, "n_tissues": positive(table, "n_tissues", 4)}


def read_apart(table: dict[str, Any] | None) -> dict[str, Any] | None:
    """Which subjects are shown apart."""
    if table is None:
        return None
    check_keys(table, ("method", "metric", "below", "title"), "key of apart,")
    missing = [key for key in ("method", "below", "title") if key not in table]
    if missing:
        raise ValueError(f"apart should have {', '.join(missing)}.")
    return {"metric": check_name(table.get("metric", "roc_auc"), RANKING, "metric for apart,")} | table


def read_cohorts(table: dict[str, Any], name: str) -> dict[str, Cohort]:
    """All cohorts of a study by their names; that of ``cohort`` has the name of the study."""
    tables = table.get("cohorts", {}) | ({name: table["cohort"]} if "cohort" in table else {})
    cohorts = {key: read_cohort(key, part) for key, part in tables.items()}
    trained = [key for key, cohort in cohorts.items() if cohort.trained_on is None]
    if not trained:
        raise ValueError('cohort should be a table with a loader, such as loader = "phantom".')
    for key, cohort in cohorts.items():
        if key in FOLDS:
            raise ValueError(f"A cohort should not be called {key}: that is a fold.")
        if cohort.trained_on is not None:
            check_name(cohort.trained_on, trained, f"cohort that {key!r} could be trained_on,")
    return cohorts


def read_cohort(name: str, table: Mapping[str, Any]) -> Cohort:
    """One cohort."""
    loader = check_name(table.get("loader", ""), LOADERS, f"loader for the cohort {name!r},")
    about = ("loader", "folds", "trained_on", "where", "shift")
    own = {key: value for key, value in table.items() if key not in about}
    known = [key for key in inspect.signature(LOADERS[loader]).parameters if key != "on_error"]
    check_keys(own, known, f"argument of the loader {loader!r}")
    if loader != "phantom" and "folder" not in own:
        raise ValueError(f"The cohort {name!r} should name its folder, relative to --data.")
    if loader == "phantom" and not isinstance(own.get("random_state"), int):
        raise ValueError(
            f"The cohort {name!r} should have an integer random_state: without it the phantom differs "
            "between runs."
        )
    trained_on = table.get("trained_on")
    folds = {} if trained_on else check_folds(name, table.get("folds", {}))
    shift = dict(check_shift(name, table.get("shift", {})))
    return Cohort(loader, own, folds, trained_on, table.get("where", {}), shift)


def read_preprocessing(table: dict[str, Any]) -> dict[str, Any]:
    """Parameters of VolumePreprocessor."""
    check_keys(table, inspect.signature(VolumePreprocessor).parameters, "parameter of preprocessing")
    VolumePreprocessor(**table)._validate_params()
    return table


def read_seeds(values: Any) -> tuple[int, ...]:
    """Seeds of a study or a method."""
    if not isinstance(values, list) or not values or not all(isinstance(s, int) and s >= 0 for s in values):
        raise ValueError(f"seeds should be a list of integers of at least 0, got {values!r}.")
    return tuple(values)


def positive(table: Mapping[str, Any], key: str, default: int) -> int:
    """An integer of at least 1."""
    value = table.get(key, default)
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} should be an integer of at least 1, got {value!r}.")
    return value
