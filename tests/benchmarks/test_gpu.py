"""The runner of the GPU's measurements: what is slow or fails does not take the other parts with it."""

import sys
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    monkeypatch.setattr(gpu, "make_inputs", lambda scale: None)
    yield gpu
    for name in [name for name in sys.modules if name.startswith("gpu")]:
        del sys.modules[name]


@pytest.fixture
def measure(gpu, monkeypatch, tmp_path):
    """Run parts and give their rows, part to list of (measure, value)."""

    def run(minutes, **parts):
        monkeypatch.setattr(gpu, "PARTS", {name: (part, 1) for name, part in parts.items()})
        passed = gpu.run(tmp_path / "gpu.csv", device="cpu", minutes=minutes, scale=None)
        rows = gpu.read_results(tmp_path / "gpu.csv")
        return passed, [(row["part"], row["measure"], row["value"]) for row in rows]

    return run


def quick(inputs, device, deadline):
    yield "rate", 2.0, "slices/s"


def failing(inputs, device, deadline):
    yield "rate", 1.0, "slices/s"
    raise ValueError("no memory")


def endless(inputs, device, deadline):
    yield "rate", 3.0, "slices/s"
    time.sleep(60)


def test_a_part_that_fails_keeps_its_results_and_the_next_one_runs(measure):
    passed, rows = measure(1, first=failing, second=quick)
    assert not passed
    assert (
        ("first", "rate", "1") in rows and ("first", "failed", "") in rows and ("second", "rate", "2") in rows
    )


def test_a_part_that_takes_too_long_is_cut_off(gpu, measure, monkeypatch):
    monkeypatch.setattr(gpu, "SECONDS_TO_START", 0)
    passed, rows = measure(0.03, first=endless)
    assert passed and "cut off" in [measure for _, measure, _ in rows]


def test_a_part_without_time_is_named(measure):
    assert ("first", "not begun", "") in measure(0, first=quick)[1]


def test_the_page_has_a_row_for_every_result(gpu, tmp_path):
    results = gpu.Results(tmp_path / "gpu.csv")
    results.start()
    results.add("adm", "translator", 123.456, "slices/s", "50 epochs")
    gpu.write_page(tmp_path / "gpu.csv", tmp_path / "gpu.md")
    assert "| translator | 123.46 | slices/s | 50 epochs |" in (tmp_path / "gpu.md").read_text()
