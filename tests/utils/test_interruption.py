"""A signal that ends a process ends its workers, too."""

import multiprocessing
import os
import signal
import time

import joblib
import pytest
from joblib.externals.loky import get_reusable_executor

from skad.utils.interruption import Terminated, ended_by_signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")


@pytest.fixture(autouse=True)
def _new_workers():
    """Those of other tests would be killed with the rest, and the next to use them would fail."""
    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    yield
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture(params=["SIGTERM", "SIGHUP"])
def signum(request):
    """A signal that is handled as by default, whatever the shell of the tests ignores."""
    number = getattr(signal, request.param)
    before = signal.signal(number, signal.SIG_DFL)
    yield number
    signal.signal(number, before)


def test_a_signal_is_an_exception_that_knows_it(signum):
    with pytest.raises(Terminated) as end, ended_by_signals():
        os.kill(os.getpid(), signum)
        time.sleep(5)
    assert end.value.signum == signum and str(end.value) == signal.Signals(signum).name
    assert signal.getsignal(signum) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_so(signum):
    signal.signal(signum, signal.SIG_IGN)
    with ended_by_signals():
        os.kill(os.getpid(), signum)
    assert signal.getsignal(signum) is signal.SIG_IGN


def test_workers_end_with_it(signum):
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    with pytest.raises(Terminated), ended_by_signals():
        worker.start()
        os.kill(os.getpid(), signum)
        time.sleep(5)
    worker.join(timeout=30)
    assert worker.exitcode == -signal.SIGKILL


def test_workers_of_joblib_end_with_it(signum):
    pids = set(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(4)))
    with pytest.raises(Terminated), ended_by_signals():
        os.kill(os.getpid(), signum)
        time.sleep(5)
    deadline = time.monotonic() + 30
    while pids & {child.pid for child in multiprocessing.active_children()}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
