"""A step in a process of its own."""

import os
import signal

import numpy as np
import pytest
import torch

from skad.benchmark.process import in_own_process

MEGABYTES_200 = 25_000_000


def allocate(n):
    return float(np.ones(n).sum())


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise ValueError("no brain in sub-01")


def threads():
    return torch.get_num_threads(), os.getpid()


def test_its_memory_is_its_own():
    here = np.ones(2 * MEGABYTES_200)
    result, much = in_own_process(allocate, MEGABYTES_200)
    _, little = in_own_process(allocate, 10)
    assert result == here[:MEGABYTES_200].sum()
    assert 0.15 < much - little < 0.25  # GiB


def test_its_threads_are_as_asked_and_ours_as_before():
    before = torch.get_num_threads()
    (found, pid), _ = in_own_process(threads, threads=2)
    assert found == 2 and torch.get_num_threads() == before and pid != os.getpid()


def test_its_error_is_raised_here():
    with pytest.raises(ValueError, match="no brain in sub-01"):
        in_own_process(fail)


def test_its_death_is_told():
    with pytest.raises(ChildProcessError, match="ended with code -9"):
        in_own_process(kill)
