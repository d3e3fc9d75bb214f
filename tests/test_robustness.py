"""Mutated files are read or refused: a seeded part of benchmarks/robustness.py."""

import pytest

from benchmarks import robustness

COUNTS = {"skad": 150, "toml": 40}  # seconds each


@pytest.fixture(scope="module")
def watch():
    return robustness.Watch()


@pytest.mark.parametrize("name", robustness.TARGETS)
def test_no_mutant_escapes(name, watch, tmp_path):
    target = robustness.TARGETS[name]
    samples = target.samples()
    for content in samples:
        (tmp_path / f"good{target.suffix}").write_bytes(content)
        target.read(tmp_path / f"good{target.suffix}")
    counts = robustness.read_mutants(target, range(COUNTS.get(name, 50)), samples, tmp_path, watch)
    assert counts.escaped == []
    assert counts.refused > counts.tried / 4  # the mutations bite
