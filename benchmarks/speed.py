"""CPU seconds and memory of skad, of an earlier version and of others who do the same; docs/results/speed.md.

    git worktree add ../before COMMIT
    python benchmarks/speed.py --before ../before --peers PEERS/bin/python

PEERS is an environment with torchio and MONAI beside skad's dependencies; without it their rows are left out.
One thread. Every figure is CPU time of a process of its own, the median of several in turn, so that a loaded
machine does not change it much. Writes docs/results/speed.csv, and the page from it.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from speed_cohort import N_FEW, N_MANY
from speed_page import write_page

HERE = Path(__file__).resolve().parent
COLUMNS = ("question", "who", "cpu_s", "memory_mb", "wall_s", "runs")
TASKS = {  # question -> who -> task of speed_tasks.py
    "four contrasts from 1 mm to 2 mm, cubic": {
        "skad": "prepare_skad",
        "nilearn": "prepare_nilearn",
        "torchio": "prepare_torchio_cubic",
        "MONAI": "prepare_monai_cubic",
    },
    "the same, linear": {"torchio": "prepare_torchio", "MONAI": "prepare_monai"},
    "reading the four contrasts, gzip": {"skad": "read_skad"},
    "writing a map, gzip": {"skad": "write_skad"},
    "10 epochs of ContrastTranslator": {"skad": "train_skad", "torch loop": "train_torch"},
    "10 epochs of IntroVAE": {"skad": "introvae_skad", "loop from the equations": "introvae_torch"},
    "10 epochs of GMVAE": {"skad": "gmvae_skad", "loop from the equations": "gmvae_torch"},
    "latent search of 8 images": {"skad": "search_skad", "loop from the equations": "search_torch"},
    "an epoch of ContrastTranslator, 32 slices": {
        "skad": "epoch_translator",
        "convolutions of as many operations": "convolutions_translator",
    },
    "an epoch of SyntheticAnomalyScorer, 64 slices": {
        "skad": "epoch_planted",
        "convolutions of as many operations": "convolutions_planted",
    },
    "first training of a process": {"skad": "first_training"},
    "threshold at the end of a fit, planted lesions, 256 slices": {
        "skad": "threshold_skad",
        "convolutions of as many operations": "convolutions_threshold",
    },
    "references of 64 slices": {"skad": "buffers_kept", "without keep_freed_memory": "buffers_returned"},
    "ROC-AUC of 4 million pixels": {"skad": "auc_skad", "scikit-learn": "auc_sklearn"},
}
START = {  # question -> what the interpreter is given
    "skad --help": ["-m", "skad", "--help"],
    "skad score --help": ["-m", "skad", "score", "--help"],
    "from skad.metrics import *": ["-c", "from skad.metrics import *"],
    "from skad.io import *": ["-c", "from skad.io import *"],
}
FIT = "--method adm --epochs 1 --set reference__width=8 reference__n_blocks=1 score__width=8".split()


class Python:
    """An interpreter with a version of skad.

    Parameters
    ----------
    folder : path-like
        Its repository.
    executable : str
    """

    def __init__(self, folder, executable=sys.executable):
        self.folder, self.executable = folder, executable
        self.environment = os.environ | {
            "PYTHONPATH": str(folder),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
        }

    def run(self, *arguments):
        """CPU and wall seconds and peak memory of a whole process, and what it printed."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = os.times().elapsed
        process = subprocess.run(
            [self.executable, *arguments],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )
        wall, after = os.times().elapsed - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode:
            raise RuntimeError(process.stderr.strip().splitlines()[-1] if process.stderr else "failed")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"cpu_s": cpu, "wall_s": wall, "output": process.stdout}

    def task(self, name):
        """What a task of speed_tasks.py says of itself."""
        return json.loads(self.run(str(HERE / "speed_tasks.py"), name)["output"].splitlines()[-1])


def in_turn(measures, runs):
    """Call several measures one after the other, several times: a list of results for each that works."""
    results = {}
    for _ in range(runs):
        for name, measure in measures.items():
            try:
                results.setdefault(name, []).append(measure())
            except (RuntimeError, IndexError) as error:
                print(f"  {name}: left out, {error}")
    return results


def rows_of(question, results):
    """A row for each of those who were measured: medians."""
    for who, found in results.items():
        if not found:  # not to be had in that version
            continue
        row = {"question": question, "who": who, "runs": len(found)}
        for column, key in (("cpu_s", "cpu_s"), ("memory_mb", "added_mb"), ("wall_s", "wall_s")):
            values = [each[key] for each in found if key in each]
            row[column] = f"{statistics.median(values):.3f}" if values else ""
        yield row


def tasks(now, before, peers, runs, about=""):
    """The tasks of speed_tasks.py whose question contains a text."""
    for question, whos in TASKS.items():
        if about not in question:
            continue
        measures = {}
        for who, task in whos.items():
            python = peers if who in ("torchio", "MONAI") else now
            if python is not None:
                measures[who] = lambda python=python, task=task: python.task(task)
            if who == "skad" and before is not None:
                measures["skad before"] = lambda task=task: before.task(task)
        yield from rows_of(question, in_turn(measures, runs))


def start_up(now, before, runs):
    """Imports and help, beside those of scikit-learn."""
    for question, arguments in START.items():
        measures = {"skad": lambda arguments=arguments: now.run(*arguments)}
        if before is not None:
            measures["skad before"] = lambda arguments=arguments: before.run(*arguments)
        measures["import sklearn"] = lambda: now.run("-c", "import sklearn")
        yield from rows_of(question, in_turn(measures, runs))


def scoring(now, before, runs):
    """A further subject in ``skad score``, and two jobs against one."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        now.run("-c", f"import sys; sys.path.insert(0, {str(HERE)!r}); import speed_cohort; "
                f"speed_cohort.write({str(folder)!r})")  # fmt: skip
        versions = {"skad": now} | ({} if before is None else {"skad before": before})
        for who, python in versions.items():
            model = f"{folder / who}.skad"
            python.run("-m", "skad", "fit", str(folder / "many"), "--out", model, *FIT)
        for question, options in (
            ("a further subject in skad score", []),
            ("the same, --no-figures --no-report", ["--no-figures", "--no-report"]),
        ):
            measures = {
                who: lambda who=who, python=python, options=options: _further(folder, who, python, options)
                for who, python in versions.items()
            }
            yield from rows_of(question, in_turn(measures, runs))
        measures = {
            f"{who}, --jobs {n}": partial(_score, folder, "many", who, python, ["--jobs", str(n)])
            for who, python in versions.items()
            for n in (1, 2)
        }
        yield from rows_of(f"skad score of {N_MANY} subjects", in_turn(measures, runs))


def _further(folder, who, python, options):
    few, many = (_score(folder, name, who, python, options) for name in ("few", "many"))
    n = N_MANY - N_FEW
    return {"cpu_s": (many["cpu_s"] - few["cpu_s"]) / n, "added_mb": (many["report"] - few["report"]) / n}


def _score(folder, cohort, who, python, options):
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    model = f"{folder / who}.skad"
    spent = python.run("-m", "skad", "score", model, str(folder / cohort), "--out", str(out), *options)
    report = out / "report.html"
    return spent | {"report": report.stat().st_size / 1e6 if report.exists() else 0.0}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a worktree of the version to compare with")
    parser.add_argument("--peers", help="a Python with torchio and MONAI")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--only", nargs="+", choices=("start", "tasks", "score"), default=["start", "tasks", "score"]
    )
    parser.add_argument("--about", default="", help="of the tasks only those whose question contains this")
    parser.add_argument("--out", type=Path, default=Path("docs/results/speed.csv"))
    arguments = parser.parse_args()
    now = Python(HERE.parent)
    before = arguments.before and Python(arguments.before.resolve())
    peers = arguments.peers and Python(HERE.parent, arguments.peers)
    parts = {
        "start": lambda: start_up(now, before, arguments.runs),
        "tasks": lambda: tasks(now, before, peers, arguments.runs, arguments.about),
        "score": lambda: scoring(now, before, arguments.runs),
    }
    versions = json.loads((peers or now).run(str(HERE / "speed_tasks.py"), "versions")["output"])
    row = {"question": "versions", "who": ", ".join(f"{name} {number}" for name, number in versions.items())}
    save([row], arguments.out)
    for name in arguments.only:
        for row in parts[name]():
            print(*row.values(), flush=True)
            save([row], arguments.out)
    write_page(arguments.out, arguments.out.with_suffix(".md"))


def _key(row):
    return row["question"], "" if row["question"] == "versions" else row["who"]


def save(rows, path):
    """Add rows to the CSV, in place of older ones of the same question and who."""
    found = {}
    if path.exists():
        with open(path, newline="", encoding="utf-8") as file:
            found = {_key(row): row for row in csv.DictReader(file)}
    found |= {_key(row): row for row in rows}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(found.values())


if __name__ == "__main__":
    main()
