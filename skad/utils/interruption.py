"""Signals that end a run end its workers as well, and leave nothing half-written."""

import contextlib
import multiprocessing
import os
import signal
import threading

_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


class Terminated(BaseException):
    """The process was asked to end; `signum` says by which signal."""

    def __init__(self, signum):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


@contextlib.contextmanager
def ended_by_signals():
    """Raise `Terminated` in the block when SIGTERM or SIGHUP comes, as Ctrl-C raises KeyboardInterrupt.

    A signal that is ignored, as SIGHUP under ``nohup``, or handled already, stays so. Workers are ended, too.
    """
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        for signum in _ENDING:
            if signal.getsignal(signum) == signal.SIG_DFL:
                replaced[signum] = signal.signal(signum, _raise)
    try:
        yield
    except Terminated:  # Ctrl-C reaches the workers as well: the terminal sends it to all
        for child in multiprocessing.active_children():  # those of joblib have no working `kill`
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, _KILL)
        raise
    finally:
        for signum in replaced:
            signal.signal(signum, signal.SIG_DFL)


def _raise(signum, frame):
    raise Terminated(signum)
