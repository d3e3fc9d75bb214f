"""Every image file of a folder is used, or left out with a reason; a scan opens as a volume."""

from pathlib import Path

import numpy as np
import pytest

from skad.datasets import Scan, SelectionError
from skad.datasets.bids import find_bids
from skad.datasets.files import list_images
from skad.datasets.survey import survey
from skad.io import Volume, VolumeReadError, write_map


@pytest.fixture
def folder(tmp_path):
    for name in ("a_T1w", "a_FLAIR", "b_T1w", "b_FLAIR", "b_T2w", "b_notes"):
        path = Path(tmp_path, f"sub-{name[0]}", "anat", f"sub-{name}.nii.gz")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def surveyed(folder, **selection):
    listing = list_images(folder)
    return survey(listing, find_bids(listing), **selection)


def files_of(inventory):
    used = {path for scan in inventory.scans for path in scan.images.values()}
    return used, {each.path for each in inventory.unused}


def test_every_file_is_used_or_unused_and_none_is_both(folder):
    used, unused = files_of(surveyed(folder))
    assert used | unused == {*folder.rglob("*.nii.gz")} and not used & unused


def test_without_a_choice_the_contrasts_are_those_of_all_subjects(folder):
    assert {*surveyed(folder).contrasts} == {"T1w", "FLAIR"}


def test_files_of_subjects_that_are_not_chosen_are_not_unused(folder):
    used, unused = files_of(surveyed(folder, subjects=["a"]))
    of_no_subject = folder / "sub-b/anat/sub-b_notes.nii.gz"  # its name is not of BIDS
    assert {path.parent.parent.name for path in (used | unused) - {of_no_subject}} == {"sub-a"}


def test_an_image_of_another_contrast_says_so(folder):
    reasons = {each.path.name: each.reason for each in surveyed(folder, contrasts=["T1w"]).unused}
    assert reasons["sub-b_T2w.nii.gz"] == "shows T2w, which is not among the contrasts T1w"


def test_a_subject_that_is_not_there_is_a_mistake(folder):
    with pytest.raises(SelectionError, match="'c'"):
        surveyed(folder, subjects=["c"])


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
