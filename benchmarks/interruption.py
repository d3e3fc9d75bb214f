"""Commands killed at a random moment, hundreds of times: nothing wrong, nothing lost, nothing left over.

    python benchmarks/interruption.py                # the full run; writes docs/results/interruption.md
    python benchmarks/interruption.py --share 0.05   # a part of it, which writes nothing

A process kills itself (SIGKILL) just before one of its operations on files below the output folder, which
a seeded generator chooses among all those of an uninterrupted run. Then we look at what is there, run the
command again with ``--resume``, and compare with what an uninterrupted run leaves.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np

import skad.cli.benchmark
import skad.cli.calibrate
import skad.cli.fit
import skad.cli.score
import skad.cli.tune
from skad.cli import main
from skad.datasets import make_phantom
from skad.io import write_map
from skad.utils.tables import read_table, write_table

PAGE = Path(__file__).parent.parent / "docs" / "results" / "interruption.md"
TABLE = PAGE.parent / "tables" / "interruption.csv"
TEXT = """# Interrupted runs

Each command was killed (SIGKILL) just before one of its file operations in the output folder,
chosen at random among those of an uninterrupted run, and then run again with `--resume`
(`calibrate` with `--overwrite`, `benchmark` without an option). A kill is counted as wrong if a
file under its final name is incomplete, if a JSON file does not describe the map beside it, if the
resumed run fails, if its models, maps, sidecars or scores differ from those of an uninterrupted run
in a byte, or if any temporary file remains.

| command | operations on files | kills | wrong |
|---|---|---|---|
{rows}
| together | | {kills} | {wrong} |

Written by `python benchmarks/interruption.py`; the counts are in
`docs/results/tables/interruption.csv`.
"""
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
SMALL = "--set reference__width=2 reference__n_blocks=0 score__width=2 score__n_components=2".split()
FIT = ["--method", "adm", "--epochs", "2", *SMALL, "preprocessor__size=(24,24)"]
STUDY = """
title = "Two methods"
seeds = [0]
[cohort]
loader = "phantom"
n_subjects = 3
shape = [16, 20, 10]
lesion = "mixed"
random_state = 0
folds = { train = 1, test = 2 }
[preprocessing]
size = [16, 12]
[methods]
"FLAIR" = { class = "IntensityScorer", contrast = 1 }
"mixture" = { class = "MixtureScorer", n_components = 2 }
"""


@dataclass(frozen=True)
class Scenario:
    """A command to kill.

    Attributes
    ----------
    name : str
    count : int
        Kills of the full run.
    command : callable
        Words of the command, of the input and output folders.
    resume : sequence of str
        What the command gets to go on.
    start : callable
        Fills the output folder before the command.
    """

    name: str
    count: int
    command: Callable[[Path, Path], list]
    resume: Sequence[str] = ("--resume",)
    start: Callable[[Path, Path], None] = lambda inputs, out: None


def scenarios():
    """What is killed, and how often."""
    score = ["--no-report"]
    return [
        Scenario("fit", 50, lambda i, o: ["fit", i / "normal", "--out", o / "adm.skad", *FIT]),
        Scenario("score", 60, lambda i, o: ["score", i / "a.skad", i / "patients", "--out", o, *score]),
        Scenario(
            "score over the maps of another detector",
            60,
            lambda i, o: ["score", i / "b.skad", i / "patients", "--out", o, *score],
            start=lambda i, o: shutil.copytree(i / "maps of a", o, dirs_exist_ok=True),
        ),
        Scenario(
            "calibrate",
            20,
            lambda i, o: ["calibrate", i / "a.skad", i / "others", "--out", o / "c.skad", "--fpr", "0.4"],
            resume=("--overwrite",),
        ),
        Scenario(
            "tune",
            15,
            lambda i, o: [*("tune", i / "normal", "--out", o / "t.skad", "--folds", "2"), *_grid(i), *FIT],
        ),
        Scenario("benchmark", 10, lambda i, o: ["benchmark", i / "study.toml", "--out", o], resume=()),
    ]


def _grid(inputs):
    return ["--grid", inputs / "grid.toml"]


def prepare(inputs):
    """Cohorts, two detectors, maps of the first, a grid and a study."""
    for name, n_subjects, lesion, seed in (
        ("normal", 2, None, 0),
        ("others", 3, None, 1),
        ("patients", 3, "glioma", 2),
    ):
        volumes = make_phantom(n_subjects, shape=(24, 28, 8), lesion=lesion, random_state=seed)
        for volume in volumes:
            for contrast, image in volume.contrasts.items():
                subject = f"sub-{volume.subject}"
                write_map(image, volume, inputs / name / subject / "anat" / f"{subject}_{contrast}.nii.gz")
    (inputs / "grid.toml").write_text('[score]\nresidual = ["absolute", "signed"]\n')
    (inputs / "study.toml").write_text(STUDY)
    for name, seed in (("a", "0"), ("b", "1")):
        words = ["fit", inputs / "normal", "--out", inputs / f"{name}.skad", "--seed", seed, *FIT]
        run_to_its_end(words)
    run_to_its_end(["score", inputs / "a.skad", inputs / "patients", "--out", inputs / "maps of a"])


def run(words, *, watched=None, stop=None):
    """Exit code of a command in a process of its own, forked from this one, which has imported everything.

    Parameters
    ----------
    words : list
    watched : pathlib.Path, default=None
        Operations on files in and below it are counted.
    stop : int, default=None
        The process kills itself before this operation, counted from 0.

    Returns
    -------
    int
        -9 where it killed itself.
    """
    pid = os.fork()
    if pid == 0:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        if watched is not None:
            sys.addaudithook(_Counter(watched, stop))
        code = 99
        with contextlib.suppress(BaseException):
            code = main([str(word) for word in words])
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_to_its_end(words, **watched):
    """Run a command that has to succeed."""
    code = run(words, **watched)
    if code != 0:
        raise RuntimeError(f"skad {' '.join(map(str, words))} ended with {code}.")


class _Counter:
    """An audit hook that counts operations on files in a folder, and ends the process at one of them."""

    def __init__(self, folder, stop):
        self.folder, self.stop, self.count = str(folder), stop, 0
        self.total = Path(f"{folder}.operations")

    def __call__(self, event, arguments):
        if event not in EVENTS or not self._below(arguments):
            return
        if self.stop is None:
            self.count += 1
            descriptor = os.open(self.total, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(descriptor, str(self.count).encode())
            os.close(descriptor)
            return
        if self.count == self.stop:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1

    def _below(self, arguments):
        paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes | os.PathLike)]
        return any(os.path.abspath(path).startswith(self.folder + os.sep) for path in paths)


def n_operations(scenario, inputs, out):
    """Operations on files of an uninterrupted run."""
    run_to_its_end(scenario.command(inputs, out), watched=out)
    counted = Path(f"{out}.operations")
    number = int(counted.read_text())
    counted.unlink()
    return number


def lies(out):
    """Files under a final name that are not whole, and sidecars that do not describe the map beside them."""
    found = []
    for path in sorted(each for each in out.rglob("*") if each.is_file() and not each.name.startswith(".")):
        try:
            _read(path)
        except Exception as error:
            found.append(f"{path.relative_to(out)}: {type(error).__name__} {error}")
    return found


def _read(path):
    if path.name.endswith(".nii.gz"):
        np.asarray(nibabel.load(path).dataobj)
    elif path.name.endswith("_map.json"):
        map_path = path.with_name(path.name.removesuffix(".json") + ".nii.gz")
        digest = hashlib.sha256(map_path.read_bytes()).hexdigest()
        if json.loads(path.read_text())["Map"]["SHA256"] != digest:
            raise ValueError("describes another map")
    elif path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".csv":
        with open(path, newline="") as file:
            if any(None in row for row in csv.DictReader(file)):
                raise ValueError("has a row that is too long")
    elif path.suffix == ".skad":
        skad.load(path)


def content(out):
    """What a finished run leaves: digest of every file by its name; of pictures and times the names only."""
    names = {}
    for path in sorted(each for each in out.rglob("*") if each.is_file()):
        name = path.relative_to(out).as_posix()
        same = path.suffix in (".skad", ".json", ".gz") or name in ("scores.csv", "tune.csv")
        times = name == "tune.csv" or "cost" in name or "work/" in name
        names[name] = hashlib.sha256(path.read_bytes()).hexdigest() if same and not times else ""
    return names


def kill(scenario, inputs, folder, stop, expected):
    """Kill a command before an operation, look, go on, and compare.

    Returns
    -------
    list of str
        What is wrong.
    """
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    scenario.start(inputs, out)
    code = run(scenario.command(inputs, out), watched=out, stop=stop)
    if code != -signal.SIGKILL:
        return [f"ended with {code} before operation {stop}"]
    wrong = [f"after the kill: {each}" for each in lies(out)]
    finished = content(out) == expected
    code = run([*scenario.command(inputs, out), *scenario.resume])
    if code != 0 and not finished:
        wrong.append(f"resumed with exit code {code}")
    now = content(out)
    wrong += [f"lost: {name}" for name in expected.keys() - now.keys()]
    wrong += [f"left over: {name}" for name in now.keys() - expected.keys()]
    both = expected.keys() & now.keys()
    return wrong + [f"differs: {name}" for name in both if expected[name] != now[name]]


def study(scenario, share, seed):
    """The row of a scenario in the table, and what was wrong."""
    generator = np.random.default_rng([seed, *scenario.name.encode()])
    with tempfile.TemporaryDirectory() as temporary:
        inputs, out = Path(temporary, "inputs"), Path(temporary, "out")
        prepare(inputs)
        out.mkdir()
        scenario.start(inputs, out)
        total = n_operations(scenario, inputs, out)
        expected = content(out)
        stops = generator.integers(total, size=max(1, round(scenario.count * share))).tolist()
        found = {stop: kill(scenario, inputs, Path(temporary), stop, expected) for stop in stops}
    problems = [
        f"{scenario.name}, operation {stop}: {each}" for stop, wrong in found.items() for each in wrong
    ]
    n_wrong = sum(bool(found[stop]) for stop in stops)
    row = {"command": scenario.name, "operations": total, "kills": len(stops), "wrong": n_wrong}
    return row, problems


def keep(row):
    """Replace the row of a scenario in the committed table, and write the page anew."""
    rows = {each["command"]: each for each in read_table(TABLE)} | {row["command"]: row}
    rows = [rows[scenario.name] for scenario in scenarios() if scenario.name in rows]
    write_table(rows, TABLE)
    lines = [f"| {' | '.join(str(value) for value in each.values())} |" for each in rows]
    kills, wrong = (sum(each[name] for each in rows) for name in ("kills", "wrong"))
    PAGE.write_text(TEXT.format(rows="\n".join(lines), kills=kills, wrong=wrong), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[each.name for each in scenarios()], help="default: all")
    parser.add_argument("--share", type=float, default=1.0, help="of the kills; below 1 nothing is written")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = False
    for scenario in scenarios():
        if options.only in (None, scenario.name):
            row, problems = study(scenario, options.share, options.seed)
            print(*row.values(), *problems, sep="\n", flush=True)
            failed |= bool(problems)
            if options.share >= 1:
                keep(row)
    sys.exit(failed)
