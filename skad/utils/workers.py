"""One function over many items in several processes; a process that is killed costs its item only."""

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

_POLL_SECONDS = 0.5


class WorkerDiedError(RuntimeError):
    """The process that worked on an item was killed, as the system does when memory runs out."""


def run_each(
    function: Callable[[Any], Any], items: Sequence[Any], *, n_jobs: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Call a function for every item, in several processes, and give results as they are finished.

    An exception is a result like any other. When a process is killed, the items that were not finished are
    started again, the first of them alone; if it is killed again, its result is a `WorkerDiedError`, and the
    others go on. Workers end with the process that started them.

    Parameters
    ----------
    function : callable
        Takes an item. It is sent to the workers when an item is started, so that an object whose state has
        changed meanwhile arrives as it is then.
    items : sequence
    n_jobs : int or None, default=None
        Processes, as in joblib; None or 1 works in this process.

    Yields
    ------
    index : int
        Of the item.
    result : object or Exception

    Examples
    --------
    >>> sorted(run_each(abs, [-3, 4]))
    [(0, 3), (1, 4)]
    """
    waiting = dict(enumerate(items))
    try:
        while waiting:
            try:
                for index, result in _parallel(function, dict(waiting), n_jobs):
                    del waiting[index]
                    yield index, result
            except TerminatedWorkerError:
                index = min(waiting)
                yield index, _alone(function, index, waiting.pop(index))
    except BaseException:  # also Ctrl-C, and a caller who wants no more
        if waiting and n_jobs not in (None, 1):
            get_reusable_executor().shutdown(wait=False, kill_workers=True)
        raise


def _parallel(function, items, n_jobs):
    tasks = (delayed(_guarded)(function, index, item, os.getpid()) for index, item in items.items())
    return Parallel(n_jobs, return_as="generator_unordered", batch_size=1)(tasks)


def _alone(function, index, item):
    try:
        ((_, result),) = _parallel(function, {index: item}, 2)
    except TerminatedWorkerError:
        return WorkerDiedError(
            "its process was killed, perhaps because memory ran out: try it alone, or with fewer jobs."
        )
    return result


def _guarded(function, index, item, parent):
    if os.getpid() != parent:
        _end_with(parent)
    try:
        return index, function(item)
    except Exception as error:
        return index, _portable(error)


def _portable(error):
    """The exception, or one that says the same where it cannot be sent to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class does when it is copied
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with(parent):
    """End this worker when the process that started it is no more, also where that could not say so."""
    name = f"end with {parent}"
    if os.name == "posix" and os.getppid() == parent and name not in {t.name for t in threading.enumerate()}:
        threading.Thread(target=_watch, args=(parent,), name=name, daemon=True).start()


def _watch(parent):
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)
