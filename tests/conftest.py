"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Small networks gain nothing from threads, and workers side by side would wait for each other's.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # for the commands that tests start
settings.register_profile("skad", deadline=None)  # a busy machine is no failure
settings.load_profile("skad")

_BESIDE_THE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real scans; without them a test is skipped, but in CI it fails."""
    return folder_of_real_scans(os.environ)


def folder_of_real_scans(environ):
    """What the environment variables SKAD_DATA and CI make of the fixture above."""
    folder = Path(environ.get("SKAD_DATA", _BESIDE_THE_REPOSITORY))
    if folder.is_dir():
        return folder
    reason = f"There are no real scans in {folder}; set SKAD_DATA to their folder."
    if environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_runtest_setup(item):
    """Tests marked ``gpu`` need a CUDA device."""
    if item.get_closest_marker("gpu"):
        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
