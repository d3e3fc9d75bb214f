"""What a step of a benchmark costs: run in a process of its own, once, and remembered."""

import json
import multiprocessing
import resource
import time


def once(path, function, *arguments):
    """The cost of a step, done now or, where ``path`` tells it, before: dict of "minutes" and "gigabytes"."""
    if not path.exists():
        cost = in_own_process(function, *arguments)
        path.write_text(json.dumps(cost))
    return json.loads(path.read_text())


def in_own_process(function, *arguments):
    """Run ``function`` in a fresh process: its time and peak memory are nobody else's."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        return pool.apply(_measured, (function, *arguments))


def _measured(function, *arguments):
    start = time.perf_counter()
    function(*arguments)
    minutes = (time.perf_counter() - start) / 60
    return {"minutes": minutes, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
