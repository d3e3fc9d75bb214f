"""A folder that one run at a time writes to."""

import os
import signal
import subprocess
import sys

import pytest

from skad.utils.locks import LOCK, LockedError, fcntl, locked

pytestmark = pytest.mark.skipif(fcntl is None, reason="no locks on this system")

HOLD = """
import sys, time
from skad.utils.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_run(tmp_path):
    """Another process that holds the lock of a folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_and_told_who_holds_the_folder(other_run, tmp_path):
    with pytest.raises(LockedError, match=rf"in use by another run of skad \(process {other_run.pid} on"):
        with locked(tmp_path):
            pytest.fail("two runs at a time")


def test_a_killed_run_locks_nothing(other_run, tmp_path):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    with locked(tmp_path):
        assert (tmp_path / LOCK).exists()
    assert os.listdir(tmp_path) == []


def test_a_run_leaves_no_lock(tmp_path):
    with pytest.raises(ValueError, match="whatever"), locked(tmp_path):
        raise ValueError("whatever")
    assert os.listdir(tmp_path) == []
