"""Has anything become slower between two commits?   python benchmarks/guard/compare.py COMMIT [COMMIT]

Runs the benchmarks of this folder on both commits (the second is the working tree by default) in turn, and
prints the ratio of their CPU seconds, the median over the rounds. Ends with 1 where a ratio is above --limit.
Needs pytest-benchmark.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@contextmanager
def checkout(commit):
    """The folder of a commit; None is the working tree."""
    if commit is None:
        yield ROOT
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "skad")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", path, commit], cwd=ROOT, check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", path], cwd=ROOT, check=True)


def seconds(folder, only):
    """CPU seconds of every benchmark with the skad of a folder: the fastest of its rounds."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, "-m", "pytest", HERE, "-q", "-p", "no:cacheprovider", "--rootdir", HERE]
        command += ["--benchmark-json", file.name, "-k", only]
        environment = os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        found = json.loads(Path(file.name).read_text())["benchmarks"]
    return {each["name"]: each["stats"]["min"] for each in found}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commits", nargs="+", metavar="COMMIT", help="the older one, and perhaps the newer")
    parser.add_argument("--rounds", type=int, default=3, help="of both, in turn; default: 3")
    parser.add_argument("--limit", type=float, default=1.1, help="largest ratio; default: 1.1")
    parser.add_argument("-k", dest="only", default="", metavar="WORDS", help="only these, as in pytest")
    arguments = parser.parse_args()
    before, after = [*arguments.commits, None][:2]
    with checkout(before) as old, checkout(after) as new:
        rounds = [
            (seconds(old, arguments.only), seconds(new, arguments.only)) for _ in range(arguments.rounds)
        ]
    worst = 0.0
    for name in rounds[0][0].keys() & rounds[0][1].keys():
        pairs = [(first[name], second[name]) for first, second in rounds]
        ratio = statistics.median(second / first for first, second in pairs)
        print(f"{name:<40} {pairs[-1][0]:9.3f} s {pairs[-1][1]:9.3f} s   ratio {ratio:.2f}")
        worst = max(worst, ratio)
    return int(worst > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
