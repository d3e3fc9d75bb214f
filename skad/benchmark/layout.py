"""Where the steps of a study lie: folders named after everything that a step depends on."""

import dataclasses
import hashlib
import json
import re
from pathlib import Path

from skad.utils.files import written_whole
from skad.version import __version__

DONE = "done.json"


@dataclasses.dataclass(frozen=True)
class Step:
    """A reference or a method, on one cohort, with one seed."""

    cohort: str
    name: str
    seed: int
    is_method: bool = False

    def __str__(self):
        return f"{self.name}, seed {self.seed}, on {self.cohort}"


class Layout:
    """The folders of a study's steps under ``out/work``.

    A step whose settings, seed, cohort or references change gets another folder: nothing finished is
    overwritten. Neither code within a version of skad nor the content of the scans is looked at.
    """

    def __init__(self, study, out):
        self.study, self.out = study, Path(out).resolve()

    def component(self, step):
        """What a step fits."""
        return (self.study.methods if step.is_method else self.study.references)[step.name]

    def needed(self, step):
        """The references and methods that a step needs, by name."""
        methods = self.study.methods
        return {n: Step(step.cohort, n, step.seed, n in methods) for n in self.component(step).needs}

    def cohort_folder(self, cohort):
        """The folder of a cohort's slices."""
        return self.out / "work" / f"cohort-{_slug(cohort)}-{self._cohort_digest(cohort)}"

    def segmenter_folder(self, cohort):
        """The folder of the network that judges the references of a cohort."""
        digest = _digest(self._cohort_digest(cohort), self.study.fidelity["segmenter"])
        return self.out / "work" / f"segmenter-{_slug(cohort)}-{digest}"

    def folder(self, step):
        """The folder of a step."""
        kind = "method" if step.is_method else "reference"
        return self.out / "work" / f"{kind}-{_slug(step.name)}-{step.seed}-{self._digest(step)}"

    def _cohort_digest(self, cohort):
        cohorts = [dataclasses.asdict(self.study.cohorts[n]) for n in (cohort, *self.study.tests_of(cohort))]
        study = self.study
        fidelity = study.fidelity and (str(study.fidelity["anatomy"]), study.fidelity["n_tissues"])
        how = (study.preprocessing, dataclasses.asdict(study.protocol), fidelity)
        return _digest(__version__, cohorts, how, str(study.data))

    def _digest(self, step):
        component = self.component(step)
        needed = [self._digest(each) for each in self.needed(step).values()]
        settings = (component.table, component.reference, step.seed, self.study.threads)
        judging = self.study.judging.settings if step.is_method else self.study.fidelity
        return _digest(self._cohort_digest(step.cohort), settings, needed, judging)


def is_done(folder):
    """Whether the step of a folder is finished."""
    return (folder / DONE).exists()


def mark_done(folder, cost):
    """Say that the step of a folder is finished, and what it cost."""
    with written_whole(folder / DONE) as temporary:
        temporary.write_text(json.dumps(cost))


def cost_of(folder):
    """What :func:`mark_done` wrote."""
    return json.loads((folder / DONE).read_text())


def _slug(name):
    return re.sub("[^0-9A-Za-z]+", "-", name).strip("-")


def _digest(*parts):
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:10]
