"""What a step of a benchmark costs: run in a process of its own, once, and remembered."""

import json
import time

import torch

from skad.benchmark.process import in_own_process


def once(path, function, *arguments):
    """The cost of a step, done now or, where ``path`` tells it, before: dict of "minutes" and "gigabytes"."""
    if not path.exists():
        threads = torch.get_num_threads()
        minutes, gigabytes = in_own_process(_minutes, function, *arguments, threads=threads)
        path.write_text(json.dumps({"minutes": minutes, "gigabytes": gigabytes}))
    return json.loads(path.read_text())


def _minutes(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    return (time.perf_counter() - start) / 60
