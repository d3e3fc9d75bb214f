"""Studies from TOML files: every key and value is checked before anything is trained."""

import inspect
import itertools
import tomllib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid

from skad.benchmark.components import ESTIMATORS, complete, fitted_in
from skad.benchmark.sections import (
    positive,
    read_apart,
    read_cohorts,
    read_fidelity,
    read_judging,
    read_preprocessing,
    read_protocol,
    read_seeds,
    read_tuning,
)
from skad.benchmark.study import Component, Study
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
    "calibration",
    "fidelity",
    "references",
    "methods",
)
OWN = ("reference", "seeds", "grid", "each")  # keys of a method that are no parameters


_LARGEST = 2**19  # bytes of a study's file


def read_study(
    path: str | PathLike[str], *, data: str | PathLike[str] | None = None, device: str | None = None
) -> Study:
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


def parse_study(table: dict[str, Any], *, name: str = "study", data: Path = Path()) -> Study:
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
    seeds = read_seeds(table.get("seeds", [0]))
    budget = check_keys(table.get("budget", {}), SHARED, "parameter for the budget,")
    tuning = read_tuning(table["tuning"]) if "tuning" in table else None
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
        cohorts=read_cohorts(table, name),
        preprocessing=read_preprocessing(table.get("preprocessing", {})),
        candidates=_candidates(methods, budget, tuning),
        compared_with=table.get("compared_with"),
        drawn=tuple(table.get("drawn", ())),
        singularity=tuple(table.get("singularity", ())),
        apart=read_apart(table.get("apart")),
        threads=positive(table, "threads", 1),
        min_seeds=positive(table, "min_seeds", 3),
        judging=read_judging(table),
        protocol=read_protocol(table.get("protocol", {})),
        tuning=tuning,
        fidelity=read_fidelity(table.get("fidelity"), budget),
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
            complete(own, budget), table.get("reference"), read_seeds(table.get("seeds", list(seeds)))
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
