"""A run resumed over replaced scans scores them again; copies of the same files keep their maps."""

import os

import numpy as np
import pytest

from skad.derivatives import Derivative
from skad.derivatives.inputs import InputFile
from skad.derivatives.naming import map_path
from skad.io import read_volume, write_map


@pytest.fixture
def scans(volumes, tmp_path):
    """Two scans and the mask of the first, as files."""
    for volume in volumes[:2]:
        write_map(volume.contrasts["T1w"], volume, tmp_path / f"in/{volume.subject}_T1w.nii.gz")
    write_map(volumes[0].contrasts["T1w"] > 0, volumes[0], tmp_path / "in/sub-01_mask.nii.gz")
    return tmp_path / "in"


def opened(scans):
    return [
        read_volume({"T1w": scans / "sub-01_T1w.nii.gz"}, mask=scans / "sub-01_mask.nii.gz"),
        read_volume({"T1w": scans / "sub-02_T1w.nii.gz"}),
    ]


def times(maps):
    return [record.path.stat().st_mtime_ns for record in maps]


def test_a_replaced_scan_is_scored_again_and_told(detector, make_brain, scans, tmp_path):
    before = times(detector.score_cohort(opened(scans), out=tmp_path / "maps"))
    write_map(make_brain(4).contrasts["T1w"], make_brain(4), scans / "sub-01_T1w.nii.gz")
    with pytest.warns(UserWarning, match=r"their maps were made: sub-01 \(T1w\)\.$"):
        maps = detector.score_cohort(opened(scans), out=tmp_path / "maps")
    expected = detector.score_volume(opened(scans)[0]).get_fdata()
    np.testing.assert_array_equal(maps[0].anomaly, expected)
    assert times(maps)[0] > before[0] and times(maps)[1] == before[1]


def test_a_scan_edited_in_place_to_the_same_size_is_noticed(tmp_path):
    path = tmp_path / "scan.nii"
    path.write_bytes(b"before")
    file = InputFile.of(path)
    path.write_bytes(b"after ")
    os.utime(path, ns=(file.modified + 1, file.modified + 1))
    assert not file.is_of(path)


def test_a_copy_with_another_time_is_the_same_scan(tmp_path):
    path = tmp_path / "scan.nii"
    path.write_bytes(b"voxels")
    file = InputFile.of(path)
    os.utime(path, ns=(0, 0))
    assert file.is_of(path) and InputFile.of(path) != file


def test_the_voxels_of_a_pair_are_part_of_it(tmp_path):
    (tmp_path / "scan.hdr").write_bytes(b"header")
    (tmp_path / "scan.img").write_bytes(b"voxels")
    file = InputFile.of(tmp_path / "scan.hdr")
    (tmp_path / "scan.img").write_bytes(b"others")
    os.utime(tmp_path / "scan.img", ns=(0, file.modified + 1))
    assert not file.is_of(tmp_path / "scan.hdr")


def test_a_mask_that_was_added_or_replaced_is_noticed(detector, scans, tmp_path):
    maskless = read_volume({"T1w": scans / "sub-01_T1w.nii.gz"})
    detector.score_cohort([maskless], out=tmp_path / "maps")
    with pytest.warns(UserWarning, match=r"sub-01 \(mask\)"):
        detector.score_cohort(opened(scans)[:1], out=tmp_path / "maps")


def test_the_state_of_the_files_is_in_the_sidecar(detector, scans, tmp_path):
    detector.score_cohort(opened(scans), out=tmp_path / "maps")
    (first, second) = Derivative(tmp_path / "maps")
    assert first.sidecar.inputs == {
        "T1w": InputFile.of(scans / "sub-01_T1w.nii.gz"),
        "mask": InputFile.of(scans / "sub-01_mask.nii.gz"),
    }
    assert list(second.sidecar.inputs) == ["T1w"]


def test_volumes_in_memory_keep_their_maps(detector, volumes, tmp_path):
    detector.score_cohort(volumes, out=tmp_path)
    before = map_path(tmp_path, volumes[0]).stat().st_mtime_ns
    detector.score_cohort(volumes, out=tmp_path)
    assert map_path(tmp_path, volumes[0]).stat().st_mtime_ns == before
