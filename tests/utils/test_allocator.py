import os
import subprocess
import sys

import pytest

from skad.utils import allocator
from skad.utils.allocator import keep_freed_memory

CYCLES = """
import resource
import numpy as np
for _ in range(20):
    buffers = [np.ones(3_000_000) for _ in range(3)]  # 24 MB each
    del buffers
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
KEEP = "from skad.utils.allocator import keep_freed_memory\nkeep_freed_memory()\n"
SPAWN = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {CYCLES!r}])"
glibc = pytest.mark.skipif(not allocator._is_glibc(), reason="needs glibc")


def page_faults(code):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    run = [sys.executable, "-c", code]
    return int(subprocess.run(run, capture_output=True, check=True, env=environment).stdout)


@glibc
@pytest.mark.parametrize("code", [CYCLES, SPAWN], ids=["this process", "a process it starts"])
def test_a_freed_buffer_is_not_asked_of_the_system_again(code):
    assert page_faults(KEEP + code) < page_faults(code) / 3


@glibc
def test_the_users_own_setting_stays(monkeypatch):
    for variable in allocator._THRESHOLDS:
        monkeypatch.setenv(variable, "131072")
    keep_freed_memory()
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "131072"


def test_nothing_happens_without_glibc(monkeypatch):
    monkeypatch.setattr(allocator, "_is_glibc", lambda: False)
    before = dict(os.environ)
    keep_freed_memory()
    assert dict(os.environ) == before
