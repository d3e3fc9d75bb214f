"""Studies from TOML files: every key and value is checked before anything is trained."""

import inspect
import itertools
import tomllib
from pathlib import Path

import numpy as np
from sklearn.model_selection import ParameterGrid

from skad.benchmark.components import ESTIMATORS, complete, fitted_in
from skad.benchmark.folds import FOLDS, check_folds
from skad.benchmark.loaders import LOADERS
from skad.benchmark.shifts import check_shift
from skad.benchmark.study import Cohort, Component, Judging, Protocol, Study, Tuning
from skad.evaluation.scan import RANKING
from skad.preprocessing import VolumePreprocessor
from skad.utils.names import check_keys, check_name

SHARED = sorted({name for cls in ESTIMATORS.values() for name in inspect.signature(cls).parameters})
KEYS = (
    "title",
    "seeds",
    "min_seeds",
    "compared_with",
    "threads",
    "lesion_size_step",
    "classwise",
    "pictures",
    "drawn",
    "singularity",
    "apart",
    "cohort",
    "cohorts",
    "protocol",
    "preprocessing",
    "budget",
    "tuning",
    "planted",
    "fidelity",
    "references",
    "methods",
)
OWN = ("reference", "seeds", "grid", "each")  # keys of a method that are no parameters


_LARGEST = 2**19  # bytes of a study's file


def read_study(path, *, data=None, device=None):
    """Read a study from a TOML file and validate it.

    Parameters
    ----------
    path : path-like
        A TOML file; docs/benchmark.md explains its keys.
    data : path-like, default=None
        What the cohorts' ``folder`` is relative to; None takes the file's own folder.
    device : str, default=None
        Replaces the device of the file's budget, for example "cuda".

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        One sentence that names the file, the key and, for a mistyped name, the nearest valid one.

    See Also
    --------
    skad.benchmark.parse_study : Validates tables that are already in memory.
    skad.benchmark.run_study : Runs a study.

    Examples
    --------
    >>> import os, tempfile
    >>> from skad.benchmark import read_study
    >>> path = os.path.join(tempfile.mkdtemp(), "quick.toml")
    >>> with open(path, "w") as file:
    ...     _ = file.write(
    ...         '''
    ...         seeds = [0]
    ...         cohort = { loader = "phantom", random_state = 0, folds = { train = 2, test = 4 } }
    ...         methods = { FLAIR = { class = "IntensityScorer", contrast = 1 } }
    ...         '''
    ...     )
    >>> read_study(path).name
    'quick'
    """
    path = Path(path)
    try:
        table = _read_table(path)
        if device is not None:
            table["budget"] = table.get("budget", {}) | {"device": device}
        return parse_study(table, name=path.stem, data=Path(data or path.parent).resolve())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): give a study's .toml file.") from error
    except ValueError as error:  # TOMLDecodeError is one
        raise ValueError(f"{path}: {error}") from error
    except (AttributeError, KeyError, TypeError, OverflowError, RecursionError) as error:
        detail = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(
            f"{path}: the structure of the study is invalid ({detail}): compare it with docs/benchmark.md."
        ) from error


def _read_table(path):
    with open(path, "rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"a study should have at most {_LARGEST} bytes.")
    return tomllib.loads(content.decode("utf-8"))


def parse_study(table, *, name="study", data=Path()):
    """Validate the tables of a study and return it as a :class:`Study`.

    Parameters
    ----------
    table : dict
        The tables of a study's TOML file, as :func:`tomllib.load` returns them.
    name : str, default="study"
        Name of the study.
    data : pathlib.Path, default=Path()
        The folder that the ``folder`` of each cohort is relative to.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        A key or value is invalid; the message names it and, for a mistyped name, the nearest valid one.

    See Also
    --------
    skad.benchmark.read_study : Reads the tables from a file.

    Examples
    --------
    >>> from skad.benchmark import parse_study
    >>> study = parse_study(
    ...     {
    ...         "seeds": [0],
    ...         "cohort": {"loader": "phantom", "random_state": 0, "folds": {"train": 2, "test": 4}},
    ...         "methods": {"FLAIR": {"class": "IntensityScorer", "contrast": 1}},
    ...     }
    ... )
    >>> study.name
    'study'
    """
    check_keys(table, KEYS, "key of a study")
    seeds = _seeds(table.get("seeds", [0]))
    budget = check_keys(table.get("budget", {}), SHARED, "parameter for the budget,")
    tuning = _tuning(table["tuning"]) if "tuning" in table else None
    methods = _expanded(table.get("methods", {}))
    components = {
        kind: {key: _component(key, part, budget, seeds) for key, part in parts.items()}
        for kind, parts in (("references", table.get("references", {})), ("methods", methods))
    }
    if not components["methods"]:
        raise ValueError('methods should hold at least one table, such as [methods."FLAIR"].')
    study = Study(
        name=name,
        title=table.get("title", name),
        seeds=seeds,
        cohorts=_cohorts(table, name),
        preprocessing=_preprocessing(table.get("preprocessing", {})),
        candidates=_candidates(methods, budget, tuning),
        compared_with=table.get("compared_with"),
        drawn=tuple(table.get("drawn", ())),
        singularity=tuple(table.get("singularity", ())),
        apart=_apart(table.get("apart")),
        threads=_positive(table, "threads", 1),
        min_seeds=_positive(table, "min_seeds", 3),
        judging=_judging(table),
        protocol=_protocol(table.get("protocol", {})),
        tuning=tuning,
        fidelity=_fidelity(table.get("fidelity"), budget),
        data=data,
        **components,
    )
    _check_links(study)
    return study


def _component(name, table, budget, seeds):
    if not isinstance(table, dict):
        raise ValueError(f"{name!r} should be a table with a class, got {table!r}.")
    own = {key: value for key, value in table.items() if key not in OWN}
    try:
        check_name(own.get("class", ""), ESTIMATORS, "reconstructor or scorer")
        component = Component(
            complete(own, budget), table.get("reference"), _seeds(table.get("seeds", list(seeds)))
        )
        if not fitted_in(component.table):
            component.build(0)._validate_params()
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from error
    return component


def _expanded(methods):
    """Methods with ``each``: one per combination of its values, which its name holds in braces."""
    expanded = {}
    for name, table in methods.items():
        each = table.get("each", {}) if isinstance(table, dict) else {}
        for values in itertools.product(*each.values()):
            chosen = dict(zip(each, values, strict=True))
            try:
                title = name.format(**chosen) if each else name
            except (KeyError, IndexError) as error:
                raise ValueError(f"{name!r} should name its values as {{{next(iter(each))}}}.") from error
            if title in expanded:
                raise ValueError(
                    f"{name!r} should contain every key of each in braces: {title!r} occurs twice."
                )
            expanded[title] = {k: v for k, v in table.items() if k != "each"} | chosen if each else table
    return expanded


def _candidates(methods, budget, tuning):
    """The configurations of every method that has a grid: as many for each, or the study is refused."""
    candidates = {}
    for name, table in methods.items():
        if tuning is None:
            if "grid" in table:
                raise ValueError(f"{name!r} has a grid: set tries in [tuning].")
            continue
        if "grid" not in table:
            raise ValueError(
                f"{name!r} should have a grid, as every method of a study with [tuning] has the same search; "
                "grid = {} says that there is nothing to choose."
            )
        grid = list(ParameterGrid({key: list(values) for key, values in table["grid"].items()}))
        if table["grid"] and len(grid) < tuning.tries:
            raise ValueError(
                f"The grid of {name!r} should hold {tuning.tries} configurations, got {len(grid)}."
            )
        if table["grid"]:
            drawn = np.random.default_rng(tuning.seed).permutation(len(grid))[: tuning.tries]
            candidates[name] = [
                _component(name, table | grid[i], budget, [tuning.seed]) for i in sorted(drawn.tolist())
            ]
    return candidates


def _tuning(table):
    check_keys(table, ("tries", "seed", "on"), "key of tuning,")
    on = check_name(table.get("on", "roc_auc"), (*RANKING, "planted"), "score to tune on,")
    return Tuning(_positive(table, "tries", 0), table.get("seed", 0), on)


def _judging(table):
    planted = table.get("planted")
    if planted is not None:
        check_keys(planted, ("n_slices", "families"), "key of planted,")
        families = {name: complete(part, {}) for name, part in planted.get("families", {}).items()}
        planted = {"n_slices": _positive(planted, "n_slices", 256), "families": families}
    return Judging(
        lesion_size_step=_positive(table, "lesion_size_step", 200),
        classwise=bool(table.get("classwise", False)),
        planted=planted,
        pictures=_positive(table, "pictures", 1) if table.get("pictures") else 0,
    )


def _protocol(table):
    check_keys(table, ("slices_per_patient", "views", "augmentation"), "key of protocol,")
    views = check_keys(table.get("views", {}), ("validation", "test"), "fold for views,")
    for fold in views:
        _positive(views, fold, 1)
    if views and "augmentation" not in table:
        raise ValueError("protocol should have an augmentation that makes the views.")
    augmentation = complete(table["augmentation"], {}) if "augmentation" in table else {}
    n_slices = _positive(table, "slices_per_patient", 1) if "slices_per_patient" in table else None
    return Protocol(n_slices, dict(views), augmentation)


def _fidelity(table, budget):
    if table is None:
        return None
    check_keys(table, ("segmenter", "anatomy", "n_tissues"), "key of fidelity,")
    anatomy = _cohort("anatomy", table["anatomy"] | {"trained_on": "-"}) if "anatomy" in table else None
    segmenter = complete({"class": "AnatomySegmenter"} | table.get("segmenter", {}), budget)
    return {"segmenter": segmenter, "anatomy": anatomy, "n_tissues": _positive(table, "n_tissues", 4)}


def _apart(table):
    if table is None:
        return None
    check_keys(table, ("method", "metric", "below", "title"), "key of apart,")
    missing = [key for key in ("method", "below", "title") if key not in table]
    if missing:
        raise ValueError(f"apart should have {', '.join(missing)}.")
    return {"metric": check_name(table.get("metric", "roc_auc"), RANKING, "metric for apart,")} | table


def _check_links(study):
    components = study.references | study.methods
    if both := set(study.references) & set(study.methods):
        raise ValueError(f"{min(both)!r} is the name of a reference and of a method: rename one of them.")
    for name, component in components.items():
        _check_needs(study, name, component)
    for name, candidates in study.candidates.items():
        for candidate in candidates:
            _check_needs(study, name, candidate, of="references")
    for name, component in study.references.items():
        if component.reference:
            raise ValueError(f"The reference {name!r} should be made from images, without a reference key.")
    study.waves()
    named = {
        "method to be compared_with,": [study.compared_with] if study.compared_with else [],
        "method to be drawn,": study.drawn,
        "method for the figure singularity,": study.singularity,
        "method to set subjects apart by,": [study.apart["method"]] if study.apart else [],
    }
    for what, names in named.items():
        for name in names:
            check_name(name, study.methods, what)


def _check_needs(study, name, component, of=None):
    """That what a component needs is there, with its seeds; candidates need references only."""
    components = study.references | ({} if of == "references" else study.methods)
    for needed in component.needs:
        known = study.references if needed == component.reference else components
        other = known[check_name(needed, known, f"reference or method for {name!r},")]
        if not set(component.seeds) <= set(other.seeds):
            raise ValueError(f"{name!r} has seeds that {needed!r}, which it needs, lacks.")
        if other.reference not in (None, component.reference):
            raise ValueError(f"{name!r} should have the reference {other.reference!r} of {needed!r}.")


def _cohorts(table, name):
    tables = table.get("cohorts", {}) | ({name: table["cohort"]} if "cohort" in table else {})
    cohorts = {key: _cohort(key, part) for key, part in tables.items()}
    trained = [key for key, cohort in cohorts.items() if cohort.trained_on is None]
    if not trained:
        raise ValueError('cohort should be a table with a loader, such as loader = "phantom".')
    for key, cohort in cohorts.items():
        if key in FOLDS:
            raise ValueError(f"A cohort should not be called {key}: that is a fold.")
        if cohort.trained_on is not None:
            check_name(cohort.trained_on, trained, f"cohort that {key!r} could be trained_on,")
    return cohorts


def _cohort(name, table):
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
    shift = check_shift(name, table.get("shift", {}))
    return Cohort(loader, own, folds, trained_on, table.get("where", {}), shift)


def _preprocessing(table):
    check_keys(table, inspect.signature(VolumePreprocessor).parameters, "parameter of preprocessing")
    VolumePreprocessor(**table)._validate_params()
    return table


def _seeds(values):
    if not isinstance(values, list) or not values or not all(isinstance(s, int) and s >= 0 for s in values):
        raise ValueError(f"seeds should be a list of integers of at least 0, got {values!r}.")
    return tuple(values)


def _positive(table, key, default):
    value = table.get(key, default)
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} should be an integer of at least 1, got {value!r}.")
    return value
