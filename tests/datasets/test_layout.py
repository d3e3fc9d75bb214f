import pytest

from skad.datasets import load
from skad.io import VolumeReadError

LAYOUTS = {
    "BIDS": ({"sub-a/anat/sub-a_T1w.nii.gz": 1}, "T1w", "sub-a"),
    "BraTS 2019": ({"HGG/x_1/x_1_t1.nii.gz": 1, "HGG/x_1/x_1_seg.nii.gz": 1}, "T1w", "x_1"),
    "BraTS 2023": ({"BraTS-GLI-00001-000/BraTS-GLI-00001-000-t1n.nii.gz": 1}, "T1w", "BraTS-GLI-00001"),
    "ISLES 2015": ({"1/VSD.Brain.XX.O.MR_T1.7/VSD.Brain.XX.O.MR_T1.7.nii": 1}, "T1w", "1"),
    "ISLES 2022": (
        {
            f"sub-strokecase0001/ses-0001/{part}_{kind}.nii.gz": 1
            for part, kind in (
                ("dwi/sub-strokecase0001_ses-0001", "dwi"),
                ("anat/sub-strokecase0001_ses-0001", "FLAIR"),
            )
        },
        "dwi",
        "sub-strokecase0001",
    ),
}


@pytest.mark.parametrize(("files", "contrast", "subject"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_every_layout_is_recognized(folder, files, contrast, subject):
    (volume,) = load(folder(files))
    assert next(iter(volume.contrasts)) == contrast
    assert volume.subject == subject


def test_contrasts_are_asked_for_by_their_bids_names_in_every_layout(folder):
    (volume,) = load(
        folder({"x/x_t1ce.nii.gz": 1, "x/x_flair.nii.gz": 2}), contrasts=("ce-gadolinium_T1w", "FLAIR")
    )
    assert tuple(volume.contrasts) == ("ce-gadolinium_T1w", "FLAIR")


def test_an_unknown_layout_lists_what_was_looked_for(folder):
    with pytest.raises(
        VolumeReadError, match=r"none of the known layouts, ISLES .*BIDS .*BraTS .*load_folder"
    ):
        load(folder({"scan.nii.gz": 1}))


def test_corrupt_subjects_are_collected(folder):
    root = folder({"sub-a/anat/sub-a_T1w.nii.gz": 1, "sub-b/anat/sub-b_T1w.nii.gz": 1})
    (root / "sub-b/anat/sub-b_T1w.nii.gz").write_bytes(b"")
    volumes, errors = load(root, on_error="collect")
    assert ([volume.subject for volume in volumes], list(errors)) == (["sub-a"], ["sub-b"])
