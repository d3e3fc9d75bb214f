"""A step in a process of its own: its time and peak memory are its own, and its end is nobody else's."""

import multiprocessing
import os
import signal
import threading

import torch
from threadpoolctl import threadpool_limits

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def in_own_process(function, *arguments, threads=1):
    """Run a function in a fresh process.

    Parameters
    ----------
    function : callable
        Of a module, so that the process finds it.
    *arguments
    threads : int, default=1
        For the arithmetic of torch and BLAS; results may differ in the last digits with another number.

    Returns
    -------
    result
        What the function returned.
    gigabytes : float
        Peak memory of the process, or of the GPU where that is more.

    Raises
    ------
    Exception
        What the function raised.
    ChildProcessError
        The process was killed, as it is when memory runs out.
    """
    context = multiprocessing.get_context(_METHOD)
    if _METHOD == "forkserver":
        context.set_forkserver_preload(["skad.benchmark.stages"])  # imported once, then forked in no time
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, function, arguments, threads), daemon=True)
    process.start()
    sender.close()
    try:
        outcome, gigabytes = receiver.recv()
    except EOFError:
        process.join()
        raise ChildProcessError(
            f"its process ended with code {process.exitcode}; it may have been killed or run out of memory"
        ) from None
    process.join()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome, gigabytes


def _work(sender, function, arguments, threads):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's end is ours, without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    with threadpool_limits(threads):
        try:
            outcome = function(*arguments)
        except Exception as error:
            error.__traceback__ = None
            outcome = error
    sender.send((outcome, _peak_gigabytes()))
    sender.close()


def _end_with_parent():
    """A killed benchmark leaves no training behind that would write beside the next one's."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _peak_gigabytes():
    cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20 if resource else float("nan")
    gpu = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_initialized() else 0.0
    return max(gpu, cpu)
