"""Lets pytest-benchmark count CPU seconds, and finds the tasks."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def pytest_configure(config):
    """Set the clock."""
    config.option.benchmark_timer = "cpu_clock.cpu_seconds"
