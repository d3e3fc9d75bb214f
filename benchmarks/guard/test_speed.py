"""What should not become slower, timed in CPU seconds; see `benchmarks/guard/compare.py`."""

import subprocess
import sys

import pytest
import speed_tasks

TASKS = ("prepare_skad", "train_skad", "introvae_skad", "search_skad", "auc_skad")


@pytest.mark.parametrize("task", TASKS)
def test_task(task, benchmark):
    benchmark.pedantic(getattr(speed_tasks, task)(), rounds=3, warmup_rounds=1)


def test_first_slices(benchmark):
    """From arrays to a map with networks that are fitted: all that is not training."""
    detector, volume = speed_tasks.scoring()
    benchmark.pedantic(detector.score_volume, (volume,), rounds=3, warmup_rounds=1)


@pytest.mark.parametrize("arguments", ["--help", "score --help"])
def test_start_up(arguments, benchmark):
    command = [sys.executable, "-m", "skad", *arguments.split()]
    benchmark.pedantic(subprocess.run, (command,), {"stdout": subprocess.DEVNULL}, rounds=5, warmup_rounds=1)
