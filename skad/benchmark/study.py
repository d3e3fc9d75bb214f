"""A study: which methods, on which cohorts, with which seeds and budget."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from skad.benchmark.components import build, fitted_in, is_random


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
    where : dict of str to str or list of str
        Only patients whose column of participants.tsv has this value, or one of these.
    shift : dict
        How the scans are changed, as of :func:`skad.benchmark.shifts.shift_volume`.
    """

    loader: str
    arguments: dict
    folds: dict
    trained_on: str | None = None
    where: dict = field(default_factory=dict)
    shift: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Component:
    """What is trained: an estimator's table, the reference it is given, and the seeds it is run with."""

    table: dict
    reference: str | None
    seeds: tuple[int, ...]

    @property
    def needs(self) -> list[str]:
        """Names of the references and methods that have to be there first."""
        return sorted(fitted_in(self.table) | ({self.reference} if self.reference else set()))

    @property
    def is_random(self) -> bool:
        """Whether another seed makes another estimator."""
        return is_random(self.table)

    def build(self, seed: int, fitted: Mapping[str, Any] | None = None) -> Any:
        """The unfitted estimator."""
        return build(self.table, seed=seed, fitted=fitted)


@dataclass(frozen=True)
class Protocol:
    """Which slices of a patient are taken, and how folds that are judged are enlarged (A, 2.4).

    Attributes
    ----------
    slices_per_patient : int or None
        The neighboring slices with the most foreground; None takes all with foreground.
    views : dict of str to int
        How many times as many slices a fold gets by augmentation; the first of them are the slices.
    augmentation : dict
        The table of the augmentation that makes them.
    """

    slices_per_patient: int | None = None
    views: dict = field(default_factory=dict)
    augmentation: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Tuning:
    """The search that every method of the study gets.

    Attributes
    ----------
    tries : int
        Configurations of every method.
    seed : int
        Of their trainings, and of the draw where a grid holds more.
    on : str
        "roc_auc", "average_precision" or "best_dice" of the validation fold's lesions, or "planted": average
        precision on lesions planted into normal slices, which takes no label.
    """

    tries: int
    seed: int = 0
    on: str = "roc_auc"


@dataclass(frozen=True)
class Judging:
    """What is measured of every method beside its scores.

    Attributes
    ----------
    lesion_size_step : int
        Width of a range of lesion sizes, pixels.
    classwise : bool
        Table I of K: rates per class, mean over volumes.
    planted : dict or None
        The scores without labels, as of :func:`skad.benchmark.planted.planted_rows`.
    pictures : int
        Slices of the test fold whose maps are kept to be drawn.
    tuned_on : str or None
        Of a configuration that is only tried: what decides, see :class:`Tuning`.
    calibration : dict or None
        The false-positive rates that thresholds realize, as of
        :func:`skad.benchmark.calibration.calibration_tables`.
    """

    lesion_size_step: int = 200
    classwise: bool = False
    planted: dict | None = None
    pictures: int = 0
    tuned_on: str | None = None
    calibration: dict | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What the rows depend on, as a dict; a calibration that is not asked for is left out."""
        return {k: v for k, v in asdict(self).items() if k != "calibration" or v is not None}


@dataclass(frozen=True)
class Study:
    """A validated study, made by :func:`skad.benchmark.read_study`.

    Attributes
    ----------
    name, title : str
        The name of the study's file and its title.
    seeds : tuple of int
        Each method is fitted once per seed.
    cohorts : dict of str to Cohort
        Scans, their folds and their shifts, by name.
    preprocessing : dict
        Parameters of VolumePreprocessor.
    references, methods : dict of str to Component
        Reconstructors and scorers, by name.
    candidates : dict of str to list of Component
        Configurations of the methods that are tuned.
    compared_with : str or None
        The method that paired tests compare with; None is the first.
    drawn, singularity : tuple of str
        Methods in the figures of lesion sizes and FROC (empty: all), and in that of singularity.
    apart : dict or None
        Subjects that are shown apart: "method", "metric", "below" and "title".
    threads : int
        Per training.
    min_seeds : int
        Seeds that have to end well for a method to be a number.
    judging : Judging
        What is computed from the maps.
    protocol : Protocol
        Which slices are used for training and testing.
    tuning : Tuning or None
        The search over `candidates`, if there is one.
    fidelity : dict or None
        How references are judged, as of ``skad.benchmark.fidelity.write_segmenter``.
    data : Path
        What the cohorts' folders are relative to.

    See Also
    --------
    skad.benchmark.read_study : Reads a study from a TOML file.
    skad.benchmark.run_study : Runs it.

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
    >>> study.seeds, list(study.methods)
    ((0,), ['FLAIR'])
    """

    name: str
    title: str
    seeds: tuple[int, ...]
    cohorts: dict[str, Cohort]
    preprocessing: dict
    references: dict[str, Component]
    methods: dict[str, Component]
    candidates: dict[str, list[Component]] = field(default_factory=dict)
    compared_with: str | None = None
    drawn: tuple = ()
    singularity: tuple = ()
    apart: dict | None = None
    threads: int = 1
    min_seeds: int = 3
    judging: Judging = Judging()
    protocol: Protocol = Protocol()
    tuning: Tuning | None = None
    fidelity: dict | None = None
    data: Path = field(default=Path(), compare=False)

    @property
    def trained(self) -> list[str]:
        """Names of the cohorts that detectors are trained on."""
        return [name for name, cohort in self.cohorts.items() if cohort.trained_on is None]

    def tests_of(self, cohort: str) -> list[str]:
        """Names of the cohorts that detectors of a cohort score beside its own folds."""
        return [name for name, other in self.cohorts.items() if other.trained_on == cohort]

    def is_needed(self, name: str) -> bool:
        """Whether another component needs the fitted one."""
        components = [*self.references.values(), *self.methods.values()]
        return any(name in component.needs for component in components)

    def seeds_needed(self, method: str) -> int:
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

    def waves(self) -> list[list[str]]:
        """Names of references and methods, in groups of which each needs only those before it."""
        left = self.references | self.methods
        done = []
        while left:
            ready = [name for name, component in left.items() if not set(component.needs) & set(left)]
            if not ready:
                raise ValueError(f"{', '.join(left)} depend on each other: remove the cycle.")
            done.append(ready)
            left = {name: c for name, c in left.items() if name not in ready}
        return done

    def trials(self) -> Self:
        """The study of the configurations that are tried: each a method, judged on the validation fold."""
        methods = {
            trial_name(name, number): candidate
            for name, candidates in self.candidates.items()
            for number, candidate in enumerate(candidates, start=1)
        }
        judging = replace(
            self.judging,
            classwise=False,
            pictures=0,
            calibration=None,
            tuned_on=self.tuning.on if self.tuning else None,
        )
        return replace(self, methods=methods, candidates={}, judging=judging)

    def with_chosen(self, chosen: Mapping[str, int]) -> Self:
        """The study with the chosen candidates (method to index) in the place of their methods."""
        methods = {
            name: replace(self.candidates[name][chosen[name]], seeds=component.seeds)
            if name in chosen
            else component
            for name, component in self.methods.items()
        }
        return replace(self, methods=methods)


def trial_name(method, number):
    """What the configuration of a method is called while it is tried."""
    return f"{method}, configuration {number}"
