"""A study: which methods, on which cohorts, with which seeds and budget. Read from a TOML file."""

import inspect
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from skad.benchmark.components import ESTIMATORS, build, complete, fitted_in, is_random
from skad.benchmark.folds import FOLDS, check_folds
from skad.datasets import load, load_bids, load_brats, load_folder, load_isles, make_phantom
from skad.preprocessing import VolumePreprocessor
from skad.utils.names import check_keys, check_name

LOADERS = {
    "phantom": make_phantom,
    "bids": load_bids,
    "brats": load_brats,
    "isles": load_isles,
    "folder": load_folder,
    "any": load,
}
SHARED = sorted({name for cls in ESTIMATORS.values() for name in inspect.signature(cls).parameters})
KEYS = (
    "title",
    "seeds",
    "compared_with",
    "threads",
    "min_seeds",
    "lesion_size_step",
    "drawn",
    "singularity",
    "cohort",
    "cohorts",
    "preprocessing",
    "budget",
    "references",
    "methods",
)


@dataclass(frozen=True)
class Cohort:
    """Where scans come from and how their patients fall into folds.

    Attributes
    ----------
    loader : str
        One of `LOADERS`.
    arguments : dict
        Of the loader.
    folds : dict
        As of :func:`skad.benchmark.folds.split_volumes`; empty for a cohort that is only scored.
    trained_on : str or None
        The cohort whose detectors score all of this one.
    """

    loader: str
    arguments: dict
    folds: dict
    trained_on: str | None = None


@dataclass(frozen=True)
class Component:
    """What is trained: an estimator's table, the reference it is given, and the seeds it is run with."""

    table: dict
    reference: str | None
    seeds: tuple

    @property
    def needs(self):
        """Names of the references and methods that have to be there first."""
        return sorted(fitted_in(self.table) | ({self.reference} if self.reference else set()))

    @property
    def is_random(self):
        """Whether another seed makes another estimator."""
        return is_random(self.table)

    def build(self, seed, fitted=None):
        """The unfitted estimator."""
        return build(self.table, seed=seed, fitted=fitted)


@dataclass(frozen=True)
class Study:
    """A validated study; :func:`read_study` makes it."""

    name: str
    title: str
    seeds: tuple
    cohorts: dict
    preprocessing: dict
    references: dict
    methods: dict
    compared_with: str | None = None
    drawn: tuple = ()
    singularity: tuple = ()
    threads: int = 1
    lesion_size_step: int = 200
    min_seeds: int = 3
    data: Path = field(default=Path(), compare=False)

    def seeds_needed(self, method):
        """How many seeds have to end well for a method to be a number; 1 where none changes anything."""
        components = self.references | self.methods
        names = {method}
        while True:
            parts = [components[name] for name in names]
            if any(part.is_random for part in parts):
                return self.min_seeds
            more = names.union(*(part.needs for part in parts))
            if more == names:
                return 1
            names = more

    def tests_of(self, cohort):
        """Names of the cohorts that detectors of a cohort score beside its own folds."""
        return [name for name, other in self.cohorts.items() if other.trained_on == cohort]

    def is_needed(self, name):
        """Whether another reference or method needs one."""
        return any(name in component.needs for component in (self.references | self.methods).values())

    def waves(self):
        """Names of references and methods, in groups of which each needs only those before it."""
        done, left = [], self.references | self.methods
        while left:
            ready = [name for name, component in left.items() if not set(component.needs) & set(left)]
            if not ready:
                raise ValueError(f"{', '.join(left)} need each other: break the circle.")
            done.append(ready)
            left = {name: c for name, c in left.items() if name not in ready}
        return done


def read_study(path, *, data=None):
    """Read and check a study.

    Parameters
    ----------
    path : path-like
        A TOML file; docs/benchmark.md explains its keys.
    data : path-like, default=None
        What the cohorts' ``folder`` is relative to; None takes the file's own folder.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        One sentence that names the file, the key and, for a mistyped name, the nearest valid one.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return parse_study(table, name=path.stem, data=Path(data or path.parent).resolve())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}): give a study's .toml file.") from error
    except (ValueError, TypeError) as error:  # TOMLDecodeError is a ValueError
        raise ValueError(f"{path}: {error}") from error


def parse_study(table, *, name="study", data=Path()):
    """A checked :class:`Study` from the tables of a TOML file; raises as :func:`read_study`."""
    check_keys(table, KEYS, "key of a study")
    seeds = _seeds(table.get("seeds", [0]))
    budget = check_keys(table.get("budget", {}), SHARED, "parameter for the budget,")
    components = {
        kind: {key: _component(key, part, budget, seeds) for key, part in table.get(kind, {}).items()}
        for kind in ("references", "methods")
    }
    if not components["methods"]:
        raise ValueError('methods should hold at least one table, such as [methods."FLAIR"].')
    study = Study(
        name=name,
        title=table.get("title", name),
        seeds=seeds,
        cohorts=_cohorts(table, name),
        preprocessing=_preprocessing(table.get("preprocessing", {})),
        compared_with=table.get("compared_with"),
        drawn=tuple(table.get("drawn", ())),
        singularity=tuple(table.get("singularity", ())),
        threads=_positive(table, "threads", 1),
        lesion_size_step=_positive(table, "lesion_size_step", 200),
        min_seeds=_positive(table, "min_seeds", 3),
        data=data,
        **components,
    )
    _check_links(study)
    return study


def _component(name, table, budget, seeds):
    if not isinstance(table, dict):
        raise ValueError(f"{name!r} should be a table with a class, got {table!r}.")
    own = {key: value for key, value in table.items() if key not in ("reference", "seeds")}
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


def _check_links(study):
    components = study.references | study.methods
    if both := set(study.references) & set(study.methods):
        raise ValueError(f"{min(both)!r} names a reference and a method: call one of them otherwise.")
    for name, component in components.items():
        for needed in component.needs:
            known = study.references if needed == component.reference else components
            other = known[check_name(needed, known, f"reference or method for {name!r},")]
            if not set(component.seeds) <= set(other.seeds):
                raise ValueError(f"{name!r} has seeds that {needed!r}, which it needs, has not.")
            if other.reference not in (None, component.reference):
                raise ValueError(f"{name!r} should have the reference {other.reference!r} of {needed!r}.")
    for name, component in study.references.items():
        if component.reference:
            raise ValueError(f"The reference {name!r} should be made from images, without a reference key.")
    study.waves()
    if study.compared_with:
        check_name(study.compared_with, study.methods, "method to be compared_with,")
    for name in study.drawn:
        check_name(name, study.methods, "method to be drawn,")
    for name in study.singularity:
        check_name(name, study.methods, "method for the figure singularity,")


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
    own = {key: value for key, value in table.items() if key not in ("loader", "folds", "trained_on")}
    known = [key for key in inspect.signature(LOADERS[loader]).parameters if key != "on_error"]
    check_keys(own, known, f"argument of the loader {loader!r}")
    if loader != "phantom" and "folder" not in own:
        raise ValueError(f"The cohort {name!r} should name its folder, relative to --data.")
    trained_on = table.get("trained_on")
    folds = {} if trained_on else check_folds(name, table.get("folds", {}))
    return Cohort(loader, own, folds, trained_on)


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
