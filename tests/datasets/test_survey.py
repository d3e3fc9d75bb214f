"""Every image file of a folder is used, or left out with a reason."""

from pathlib import Path

import pytest

from skad.datasets import SelectionError
from skad.datasets.bids import find_bids
from skad.datasets.files import list_images
from skad.datasets.survey import survey


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
