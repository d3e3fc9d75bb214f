"""The one writer of files: complete or not at all, and nothing left over."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from skad.utils.files import WriteError, json_types, sweep, write_json, written_whole

LEAVE = """
import os, sys
from skad.utils.files import written_whole
with written_whole(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os._exit(9)
"""


def killed_while_writing(path):
    assert subprocess.run([sys.executable, "-c", LEAVE, str(path)]).returncode == 9
    return [left.name for left in path.parent.iterdir() if left != path]


def test_an_interrupted_block_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("whole")
    with pytest.raises(KeyboardInterrupt), written_whole(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "whole" and os.listdir(tmp_path) == ["a.csv"]


def test_the_next_writer_of_a_file_sweeps_what_a_killed_one_left(tmp_path):
    path = tmp_path / "a.csv"
    assert len(killed_while_writing(path)) == 1
    write_json({}, path)
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_temporary_file_of_a_living_process_is_left_alone(tmp_path):
    path = tmp_path / "a.csv"
    with written_whole(path) as temporary:
        temporary.write_text("first")
        write_json({}, path)
        assert temporary.exists()
    assert path.read_text() == "first"


def test_a_folder_is_swept_with_all_below_it(tmp_path):
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "map.nii.gz"
    (left,) = killed_while_writing(path)
    assert left.endswith(".nii.gz")
    sweep(tmp_path)
    assert os.listdir(tmp_path / "sub") == []


def test_a_full_disk_is_told_with_file_and_remedy(tmp_path):
    with pytest.raises(WriteError, match=r"a\.csv cannot be written, the disk is full: free some space, or"):
        with written_whole(tmp_path / "a.csv"):
            raise OSError(28, "No space left on device")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_disk_that_is_really_full(tmp_path):
    with pytest.raises(WriteError, match="the disk is full"), written_whole(tmp_path / "a.csv"):
        with open("/dev/full", "w") as file:
            file.write("x" * 10)


def test_arrays_paths_and_nan_become_what_json_has():
    found = json_types({"a": np.array([1.5, np.nan]), Path("b"): (np.int16(3), Path("c", "d"), None, True)})
    assert found == {"a": [1.5, None], "b": [3, "c/d", None, True]}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
