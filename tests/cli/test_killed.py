"""Commands that are killed: a few of the kills that ``benchmarks/interruption.py`` counts by the hundred."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skad.utils.tables import read_table

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "interruption.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_a_killed_scoring_over_other_maps_tells_no_lie_and_resumes_to_the_same_files():
    words = ["--only", "score over the maps of another detector", "--share", "0.06", "--seed", "1"]
    done = subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    name, _, kills, wrong = done.stdout.splitlines()
    assert name.startswith("score over") and (kills, wrong) == ("4", "0")


def test_the_committed_counts_are_of_kills_that_left_nothing_wrong():
    rows = read_table(SCRIPT.parents[1] / "docs/results/tables/interruption.csv")
    assert sum(row["kills"] for row in rows) >= 200
    assert [row["command"] for row in rows if row["wrong"]] == []
