"""The files of one session, opened."""

from pathlib import Path

import numpy as np
import pytest

from skad.datasets import Scan
from skad.io import Volume, VolumeReadError, write_map

SHAPE = (7, 8, 9)  # all different


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "sub-01_ses-2_T1w.nii.gz"
    voxels = np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)
    write_map(voxels, Volume({"T1w": voxels}, np.diag([1.0, 2, 3, 1])), path)
    return path


def scan(images, available=("T1w", "T2w")):
    return Scan("sub-01", "ses-2", images, None, None, {}, (), {"site": "A"}, available)


def test_a_scan_is_named_by_subject_and_session(image):
    assert scan({"T1w": image}).name == "sub-01_ses-2"


def test_it_opens_as_a_volume_that_knows_its_columns(image):
    volume = scan({"T1w": image}).open()
    assert (volume.subject, volume.shape, volume.info["site"]) == ("sub-01", SHAPE, "A")


def test_a_contrast_without_a_file_is_an_error_that_offers_the_nearest(image):
    with pytest.raises(VolumeReadError, match=r"'sub-01_ses-2' has no contrast 'T2W' .*did you mean T2w\?"):
        scan({"T1w": image, "T2W": None}).open()


def test_or_it_is_missing_everywhere(image):
    volume = scan({"T1w": image, "FLAIR": None}).open(missing="nan")
    assert np.isnan(volume.contrasts["FLAIR"]).all() and np.isfinite(volume.contrasts["T1w"]).all()


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(VolumeReadError, match=r"gone\.nii\.gz"):
        scan({"T1w": Path(tmp_path, "gone.nii.gz")}).open()
