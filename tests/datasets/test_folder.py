import pytest

from skad.datasets import load_folder
from skad.io import VolumeReadError


def test_names_follow_the_pattern(folder, value):
    root = folder({"patient_01_T1w.nii.gz": 1, "patient_01_seg.nii": 2, "patient_01_mask.nii": 1})
    (volume,) = load_folder(root)
    assert volume.subject == "patient_01"
    assert tuple(volume.contrasts) == ("T1w",)
    assert (value(volume.labels), value(volume.mask)) == (2, True)


def test_the_pattern_may_hold_folders(folder, value):
    root = folder({"a/scans/x-T1.nii": 1, "b/scans/x-T1.nii": 2, "b/other/x-T1.nii": 3})
    first, second = load_folder(root, pattern="{subject}/scans/x-{contrast}")
    assert (first.subject, value(second.contrasts["T1"])) == ("a", 2)


def test_named_contrasts_may_contain_the_separator(folder, value):
    root = folder({"a_1_T1w.nii": 1, "a_1_ce-gadolinium_T1w.nii": 2})
    (volume,) = load_folder(root, contrasts=("ce-gadolinium_T1w", "T1w"))
    assert volume.subject == "a_1"
    assert value(volume.contrasts["ce-gadolinium_T1w"]) == 2


def test_labels_and_masks_may_have_other_names(folder):
    (volume,) = load_folder(
        folder({"a_T1w.nii": 1, "a_truth.nii": 1, "a_seg.nii": 1}), labels="truth", mask="seg"
    )
    assert (volume.has_labels, volume.has_mask, tuple(volume.contrasts)) == (True, True, ("T1w",))


@pytest.mark.parametrize("pattern", ["{subject}", "{contrast}", "{subject}_{subject}_{contrast}"])
def test_a_pattern_needs_subject_and_contrast_once(folder, pattern):
    with pytest.raises(ValueError, match="once each"):
        load_folder(folder({"a_T1w.nii": 1}), pattern=pattern)


def test_a_pattern_that_fits_no_file_is_named(folder):
    with pytest.raises(
        VolumeReadError, match=r"no NIfTI file whose path matches '\{subject\}\+\{contrast\}'"
    ):
        load_folder(folder({"a_T1w.nii": 1}), pattern="{subject}+{contrast}")


def test_hidden_files_are_ignored(folder):
    assert [volume.subject for volume in load_folder(folder({"a_T1w.nii": 1, "._a_T1w.nii": 2}))] == ["a"]
