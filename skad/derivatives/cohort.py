"""A cohort scored into a folder: one map after the other, whatever happens to one of them."""

import contextlib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skad.derivatives.about import about_detector, write_about
from skad.derivatives.bids import describe_derivative
from skad.derivatives.doubts import write_drift
from skad.derivatives.folder import Derivative
from skad.derivatives.inputs import inputs_of, other_inputs
from skad.derivatives.naming import DRIFT, SCORES, check_distinct, map_path
from skad.derivatives.visitor import Visitor
from skad.derivatives.writer import MapWriter
from skad.io import Volume
from skad.io.volumes import name_of
from skad.utils.files import sweep
from skad.utils.folders import new_folder
from skad.utils.locks import locked
from skad.utils.messages import one_line
from skad.utils.progress import Progress
from skad.utils.tables import write_table
from skad.utils.workers import run_each

# What is about maps that are replaced: it goes with them.
_ABOUT_THE_MAPS = (
    SCORES,
    DRIFT,
    "report.html",
    "evaluation.csv",
    "lesion_sizes.csv",
    "lesion_volumes.csv",
    "roc.png",
)


def score_into(
    writer: MapWriter,
    detector: Any,
    volumes: Sequence[Volume],
    *,
    calibrator: Any = None,
    n_jobs: int | None = None,
    resume: bool = True,
    tables: bool = True,
    visitor: Visitor | None = None,
    unreadable: Mapping[str, Exception] | None = None,
) -> Derivative:
    """Score volumes into a folder; parameters as in :meth:`skad.VolumeAnomalyDetector.score_cohort`.

    Returns
    -------
    Derivative
        Of these volumes, in their order.
    """
    volumes = list(volumes)
    check_distinct(volumes)
    visitor = Visitor() if visitor is None else visitor
    with new_folder(writer.folder) as folder, _reserved(folder) if tables else contextlib.nullcontext():
        run = _Run(writer, volumes, visitor, dict(unreadable or {}), tables)
        if resume:
            run.take_existing()
        run.score(detector, n_jobs)
        return run.finish(detector, calibrator)


@contextlib.contextmanager
def _reserved(folder):
    """Keep a folder for this run, without what killed runs left in it."""
    with locked(folder):
        sweep(folder)
        yield


@dataclass(frozen=True)
class _Task:
    """Score one volume and write its map; runs in a worker."""

    detector: Any
    writer: MapWriter
    visitor: Visitor
    shared: bool  # whether other runs score other volumes into the folder

    def __call__(self, volume):
        with contextlib.ExitStack() as stack:
            if self.shared:
                scan = map_path(self.writer.folder, volume).parent.parent
                stack.enter_context(_reserved(stack.enter_context(new_folder(scan))))
            return self._score(volume)

    def _score(self, volume):
        inputs = inputs_of(volume, self.writer.contrasts)
        volume = volume.cached()  # every file is read once, whatever is done with the scan
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            anomaly = self.detector.anomaly_of(volume)
        told = {str(each.message): each.category for each in caught}
        record = self.writer.write(volume, anomaly, list(told), inputs)
        try:
            return record, self.visitor.visit(record, volume, anomaly), told
        except Exception as error:  # the map is there, whatever is wrong with its picture
            return record, error, told


class _Run:
    """The state of a run: what is made, what failed, and the table that says so."""

    def __init__(self, writer, volumes, visitor, errors, tables):
        self.writer = writer
        self.volumes = {name_of(volume): volume for volume in volumes}
        self.visitor = visitor
        self.errors = errors
        self.tables = tables
        self.records = {}

    def take_existing(self):
        replaced = []
        for name, volume in self.volumes.items():
            record = self.writer.existing(volume)
            if record is None:
                continue
            others = other_inputs(record.sidecar.inputs, volume, self.writer.contrasts)
            if others:
                replaced.append(f"{name} ({', '.join(others)})")
            elif self.visitor.is_done(record):
                self.records[name] = record
        if replaced:
            told = f"Scored again, as files changed since their maps were made: {'; '.join(replaced)}."
            warnings.warn(told, UserWarning, stacklevel=4)

    def score(self, detector, n_jobs):
        waiting = {name: volume for name, volume in self.volumes.items() if name not in self.records}
        self._forget_what_is_replaced(waiting.values())
        names = list(waiting)
        task = _Task(detector, self.writer, self.visitor, shared=not self.tables)
        with Progress("score", len(waiting)) as progress:
            for index, result in run_each(task, list(waiting.values()), n_jobs=n_jobs):
                name = names[index]
                if isinstance(result, Exception):
                    self.errors[name] = result
                    text = f"failed: {one_line(result)}"
                else:
                    text = self._take(name, *result)
                self.write_table()
                progress.step(f"{name}: {text}")

    def _take(self, name, record, result, told):
        self.records[name] = record
        for message, category in told.items():
            text = message if name in message else f"{name}: {message}"
            warnings.warn(text, category, stacklevel=5)
        if isinstance(result, Exception):
            self.errors[name] = result
        else:
            self.visitor.keep(record, result)
        lesions = f", {len(record.lesions)} lesions" if record.sidecar.rule else ""
        return f"peak {record.peak:.4g}{lesions}"

    def _forget_what_is_replaced(self, volumes):
        if any(map_path(self.writer.folder, volume).exists() for volume in volumes):
            for name in _ABOUT_THE_MAPS:
                (self.writer.folder / name).unlink(missing_ok=True)

    def write_table(self):
        """The table of maps and failures, in the order of the volumes; the description of the folder."""
        made = [name for name in self.volumes if name in self.records]
        if not made:
            return
        folder = self.writer.folder
        if not (folder / "dataset_description.json").exists():
            describe_derivative(folder, self.writer.scans)
        if not self.tables:
            return
        write_table([self._row(name) for name in dict.fromkeys([*made, *self.errors])], folder / SCORES)

    def _row(self, name):
        row = {"subject": name}
        if name in self.records:
            record = self.records[name]
            row["map"] = record.path.relative_to(self.writer.folder).as_posix()
            row |= record.sidecar.summary | {"missing_contrasts": " ".join(record.sidecar.missing_contrasts)}
            if record.sidecar.warnings:
                row["warnings"] = "; ".join(record.sidecar.warnings)
        if name in self.errors:
            row["error"] = one_line(self.errors[name])
        return row

    def finish(self, detector, calibrator):
        folder = self.writer.folder
        records = [self.records[name] for name in self.volumes if name in self.records]
        if self.tables:
            (folder / DRIFT).unlink(missing_ok=True)
        if records:
            describe_derivative(folder, self.writer.scans)
            self.write_table()
            write_about(self.writer.model, about_detector(detector, calibrator), folder)
            if self.tables and calibrator is not None:
                write_drift(calibrator, {record.name: record.sidecar for record in records}, folder)
        return Derivative.of(folder, records, self.errors)


def common_folder(volumes: Sequence[Volume]) -> Path:
    """The folder that holds the files of all volumes; the current one where they have none."""
    files = [path for volume in volumes for path in volume.info.get("paths", {}).values()]
    return Path(os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in files] or ["."]))
