"""The map of one patient as a file."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from skad.derivatives.naming import lesions_path
from skad.derivatives.one_map import beside, copy_map, folder_for, is_file

from .conftest import brain


@pytest.mark.parametrize(
    ("out", "expected"), [("map.nii.gz", True), ("a/map.nii", True), ("maps", False), ("maps.gz", False)]
)
def test_the_ending_tells_a_file_from_a_folder(out, expected):
    assert is_file(Path(out)) is expected


@pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
def test_what_belongs_to_a_map_has_its_name(name):
    assert beside(Path("a", name), "_lesions.csv") == Path("a/map_lesions.csv")


def test_a_folder_is_used_as_it_is_and_a_file_gets_a_temporary_one(tmp_path):
    volumes = [brain(0)]
    with folder_for(tmp_path, [*volumes, *volumes]) as folder:
        assert folder == tmp_path
    with folder_for(tmp_path / "map.nii.gz", volumes) as folder:
        assert folder.is_dir() and folder != tmp_path
    assert not folder.exists()


def test_one_file_does_not_hold_two_maps(tmp_path):
    with (
        pytest.raises(ValueError, match="is one file, but there are 2 subjects"),
        folder_for(tmp_path / "map.nii.gz", [brain(0), brain(1)]),
    ):
        pass


def test_a_map_is_copied_with_its_lesions(detector, volumes, tmp_path):
    maps = detector.score_cohort(volumes[:1], out=tmp_path / "maps")
    copy_map(maps[0], tmp_path / "one.nii.gz")
    assert (tmp_path / "one.nii.gz").read_bytes() == maps[0].path.read_bytes()
    lesions = lesions_path(maps[0].path)
    assert (tmp_path / "one_lesions.csv").exists() == lesions.exists() == (maps[0].sidecar.rule is not None)


def test_a_copy_without_compression_is_read_as_the_map(detector, volumes, tmp_path):
    maps = detector.score_cohort(volumes[:1], out=tmp_path / "maps")
    copy_map(maps[0], tmp_path / "one.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "one.nii").get_fdata(), maps[0].anomaly)
