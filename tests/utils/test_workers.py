"""Work in several processes: one that is killed costs its item only, and none outlives the run."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skad.utils.workers import WorkerDiedError, run_each

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def work(item):
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "fail":
        raise KeyError(item)
    return item.upper()


class Odd(Exception):
    """Cannot be copied to another process."""

    def __init__(self, first, second):
        super().__init__(first)
        self.lock = threading.Lock()


def odd(item):
    raise Odd(item, item)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_errors_are_results(n_jobs):
    results = dict(run_each(work, ["a", "fail", "b"], n_jobs=n_jobs))
    assert results[0] == "A" and results[2] == "B"
    assert isinstance(results[1], KeyError)


def test_an_error_that_cannot_be_sent_is_told_in_words():
    assert repr(dict(run_each(odd, ["a"]))[0]) == "RuntimeError('Odd: a')"


@posix
def test_a_killed_worker_costs_its_item_only():
    items = ["a", "b", "kill", "c", "d", "kill", "e"]
    results = dict(run_each(work, items, n_jobs=2))
    died = [index for index, result in results.items() if isinstance(result, WorkerDiedError)]
    assert sorted(died) == [2, 5]
    assert [results[i] for i in (0, 1, 3, 4, 6)] == ["A", "B", "C", "D", "E"]


SLEEP = """
import os, sys, time
from pathlib import Path
from skad.utils.workers import run_each

def sleep(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(100)

list(run_each(sleep, [sys.argv[1]] * 2, n_jobs=2))
"""


def runs(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are looked up in /proc")
def test_workers_end_with_a_run_that_is_killed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", SLEEP, str(tmp_path)]) as process:
        while len(list(tmp_path.iterdir())) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    end = time.monotonic() + 20
    while any(map(runs, workers)):
        assert time.monotonic() < end, "the workers go on"
        time.sleep(0.05)
