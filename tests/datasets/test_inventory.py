"""Which files of a folder are used, and that no other goes unmentioned."""

import json
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from skad.datasets import CohortWarning, SelectionError, load, load_bids, load_folder, take_inventory
from skad.io import VolumeReadError

T1W, FLAIR = "sub-{0}/anat/sub-{0}_T1w.nii.gz", "sub-{0}/anat/sub-{0}_FLAIR.nii.gz"


def scans(*subjects):
    return {name.format(subject): 1 for subject in subjects for name in (T1W, FLAIR)}


def reasons(inventory):
    return {each.path.name: each.reason for each in inventory.unused}


def doubtful(inventory):
    return {each.path.name for each in inventory.unused if each.doubtful}


@pytest.mark.parametrize(
    "name",
    [
        "label-lesion_mask",
        "label-lesion_roi",
        "T1w_label-lesion_roi",
        "label-L_desc-T1lesion_mask",
        "label-WMH_mask",
        "desc-lesion_mask",
        "label-tumor_dseg",
        "FLAIR_lesion-manual",
        "lesion",
    ],
)
def test_names_of_lesion_masks_in_use_are_read_as_labels(folder, value, name):
    (volume,) = load(folder(scans("a") | {f"sub-a/anat/sub-a_{name}.nii.gz": 1}))
    assert value(volume.labels) == 1
    assert set(volume.contrasts) == {"T1w", "FLAIR"}


@pytest.mark.parametrize(
    "name", ["mod-T1w_defacemask", "label-GM_mask", "dseg", "label-lesion_probseg", "T1w_mask"]
)
def test_other_masks_are_neither_labels_nor_mask_nor_contrast(folder, name):
    inventory = take_inventory(folder(scans("a") | {f"sub-a/anat/sub-a_{name}.nii.gz": 1}))
    (scan,) = inventory.scans
    assert (set(scan.images), scan.labels, scan.mask) == ({"T1w", "FLAIR"}, None, None)
    assert [each.path.name for each in inventory.unused] == [f"sub-a_{name}.nii.gz"]


@pytest.mark.parametrize(
    ("name", "is_doubtful"),
    [
        ("T1w_mask", True),
        ("label-lesion_probseg", True),
        ("mod-T1w_defacemask", False),
        ("label-GM_mask", False),
    ],
)
def test_a_name_that_could_be_a_lesion_or_a_brain_is_doubtful(folder, name, is_doubtful):
    inventory = take_inventory(folder(scans("a") | {f"sub-a/anat/sub-a_{name}.nii.gz": 1}))
    assert bool(inventory.doubts) is is_doubtful


def test_an_unknown_suffix_is_no_contrast_unless_asked_for(folder, value):
    root = folder(scans("a") | {"sub-a/anat/sub-a_sketch.nii.gz": 5})
    assert reasons(take_inventory(root))["sub-a_sketch.nii.gz"].startswith("has the suffix sketch")
    assert value(load(root, contrasts=["sketch"])[0].contrasts["sketch"]) == 5


@pytest.mark.parametrize(
    ("image", "annotation"),
    [
        ("space-MNI_T1w", "label-lesion_mask"),
        ("T1w", "space-MNI_label-lesion_mask"),
        ("run-1_T1w", "run-2_label-lesion_mask"),
        ("acq-a_T1w", "acq-b_label-lesion_mask"),
        ("res-1_T1w", "res-2_label-lesion_mask"),
    ],
)
def test_labels_of_another_space_run_acquisition_or_resolution_are_not_laid_on(folder, image, annotation):
    files = {f"sub-a/anat/sub-a_{image}.nii.gz": 1, f"sub-a/anat/sub-a_{annotation}.nii.gz": 1}
    inventory = take_inventory(folder(files))
    assert inventory.scans[0].labels is None
    assert doubtful(inventory) == {f"sub-a_{annotation}.nii.gz"}


@pytest.mark.parametrize(
    ("image", "annotation"),
    [
        ("space-MNI_T1w", "space-MNI_label-lesion_mask"),
        ("T1w", "space-T1w_label-lesion_mask"),
        ("T1w", "space-orig_label-lesion_mask"),
        ("run-01_T1w", "run-1_label-lesion_mask"),
        ("acq-a_T1w", "label-lesion_mask"),
        ("run-1_T1w", "label-lesion_mask"),
    ],
)
def test_labels_that_share_what_they_name_are_laid_on(folder, image, annotation):
    files = {f"sub-a/anat/sub-a_{image}.nii.gz": 1, f"sub-a/anat/sub-a_{annotation}.nii.gz": 1}
    inventory = take_inventory(folder(files))
    assert inventory.scans[0].labels is not None and not inventory.doubts


def test_of_several_runs_the_first_by_number_and_its_labels_are_taken(folder, value):
    files = {f"sub-a/anat/sub-a_run-{run}_T1w.nii.gz": run for run in (1, 2, 10)}
    files |= {f"sub-a/anat/sub-a_run-{run}_label-lesion_mask.nii.gz": run for run in (1, 2, 10)}
    root = folder(files)
    (volume,) = load_bids(root)
    assert (value(volume.contrasts["T1w"]), value(volume.labels)) == (1, 1)
    inventory = take_inventory(root)
    assert inventory.scans[0].runs == {"T1w": "1"} and len(inventory.unused) == 4 and not inventory.doubts


def test_labels_that_do_not_say_of_which_run_are_not_laid_on(folder):
    files = {f"sub-a/anat/sub-a_run-{run}_T1w.nii.gz": run for run in (1, 2)}
    inventory = take_inventory(folder(files | {"sub-a/anat/sub-a_label-lesion_mask.nii.gz": 1}))
    assert (
        reasons(inventory)["sub-a_label-lesion_mask.nii.gz"]
        == "does not say to which run it belongs: it is not used"
    )


def test_native_scans_and_those_in_a_template_do_not_mix(folder):
    files = scans("a") | {f"sub-a/anat/sub-a_space-MNI_{name}.nii.gz": 2 for name in ("T1w", "T2w")}
    inventory = take_inventory(folder(files))
    assert inventory.contrasts == ("FLAIR", "T1w")
    assert reasons(inventory)["sub-a_space-MNI_T2w.nii.gz"].startswith("lies in space MNI")


def test_labels_without_a_session_belong_to_the_only_one(folder):
    session = "sub-a/ses-{0}/anat/sub-a_ses-{0}_T1w.nii.gz"
    label = "derivatives/x/sub-a/anat/sub-a_label-lesion_mask.nii.gz"
    one = take_inventory(folder({session.format(1): 1, label: 1}))
    assert one.scans[0].labels is not None
    two = take_inventory(folder({session.format(2): 1}))
    assert [scan.labels for scan in two.scans] == [None, None]
    assert doubtful(two) == {"sub-a_label-lesion_mask.nii.gz"}


def test_a_file_in_another_subjects_folder_is_not_used(folder):
    inventory = take_inventory(folder(scans("a", "b") | {"sub-a/anat/sub-b_label-lesion_mask.nii.gz": 1}))
    assert reasons(inventory)["sub-b_label-lesion_mask.nii.gz"].startswith("lies in the folder of sub-a")
    assert doubtful(inventory)


def test_a_brain_mask_of_functional_images_is_none_of_the_scan(folder):
    bold = "derivatives/fmriprep/sub-a/func/sub-a_task-rest_desc-brain_mask.nii.gz"
    inventory = take_inventory(folder(scans("a") | {bold: 1}))
    assert inventory.scans[0].mask is None and not inventory.doubts


def test_lesions_that_skad_has_found_are_no_truth(folder):
    root = folder(scans("a") | {"derivatives/skad/sub-a/anat/sub-a_desc-lesions_mask.nii.gz": 1})
    description = root / "derivatives/skad/dataset_description.json"
    description.write_text(json.dumps({"GeneratedBy": [{"Name": "skad"}]}))
    inventory = take_inventory(root)
    assert inventory.scans[0].labels is None and not inventory.doubts
    description.unlink()
    assert take_inventory(root).scans[0].labels is not None


def test_a_link_to_nothing_is_told(folder):
    root = folder(scans("a", "b"))
    link = root / "sub-a/anat/sub-a_label-lesion_mask.nii.gz"
    link.symlink_to("../../.git/annex/objects/x.nii.gz")
    with pytest.warns(CohortWarning, match=r"sub-a_label-lesion_mask.nii.gz is a link to nothing: fetch"):
        assert not any(volume.has_labels for volume in load(root))


def test_a_link_to_a_folder_elsewhere_is_entered_and_one_to_a_known_folder_is_told(folder, tmp_path):
    root = folder(scans("a") | {f"outside/{name}": value for name, value in scans("c").items()})
    (root / "sub-b").symlink_to(root / "sub-a")
    (root / "sub-a/anat/up").symlink_to(root)
    inventory = take_inventory(root)
    assert inventory.subjects == ("sub-a",)
    assert {"sub-b", "up"} <= doubtful(inventory)
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "sub-c").symlink_to(root / "outside/sub-c")
    assert take_inventory(cohort).subjects == ("sub-c",)


def test_a_subject_without_labels_in_a_labeled_cohort_is_told(folder):
    files = scans("a", "b", "c") | {f"sub-{i}/anat/sub-{i}_label-lesion_mask.nii.gz": 1 for i in "ab"}
    with pytest.warns(CohortWarning, match="labels: 2 of 3 scans have them, sub-c not"):
        load(folder(files))


def test_the_misnamed_case_of_brats_2020_is_read_and_told(folder, value):
    files = {}
    for case in (354, 355):
        name = f"BraTS20_Training_{case}"
        files |= {f"{name}/{name}_{kind}.nii": 1 for kind in ("t1", "flair")}
    files["BraTS20_Training_354/BraTS20_Training_354_seg.nii"] = 4
    files["BraTS20_Training_355/W39_1998.09.19_Segm.nii"] = 2
    root = folder(files)
    with pytest.warns(
        CohortWarning, match=r"W39_1998.09.19_Segm.nii is taken for the segmentation of BraTS20_Training_355"
    ):
        volumes = load(root)
    assert [value(volume.labels) for volume in volumes] == [4, 2]


def test_a_name_like_a_mask_is_no_contrast_of_a_folder_of_ones_own(folder):
    root = folder({"a_T1.nii": 1, "a_lesion.nii": 1, "b_T1.nii": 1, "b_lesion.nii": 1})
    with pytest.warns(CohortWarning, match="looks like a mask or labels"):
        assert set(load_folder(root)[0].contrasts) == {"T1"}
    assert load_folder(root, labels="lesion")[0].has_labels


def test_every_image_file_is_used_or_listed(folder, tmp_path):
    more = ["sub-a/dwi/sub-a_dwi.nii.gz", "sourcedata/x.nii", "notes/lesion.nii", "sub-a/anat/T2.nii.gz"]
    root = folder(scans("a") | dict.fromkeys(more, 1))
    (root / "sub-a/anat/sub-a_T1w.mgz").touch()
    inventory = take_inventory(root)
    used = {path for scan in inventory.scans for path in scan.images.values()}
    listed = {each.path for each in inventory.unused}
    everything = {path for path in root.rglob("*") if path.name.endswith((".nii", ".nii.gz", ".mgz"))}
    assert used | listed == everything and not used & listed
    assert doubtful(inventory) == {"lesion.nii"}


def test_two_files_of_one_name_are_told(folder):
    inventory = take_inventory(folder(scans("a") | {"sub-a/anat/sub-a_T1w.nii": 2}))
    assert reasons(inventory) == {"sub-a_T1w.nii.gz": "has the same name as sub-a_T1w.nii, which is used"}
    assert inventory.doubts


def test_endings_may_be_in_capitals(folder, value):
    root = folder(scans("a"))
    (root / FLAIR.format("a")).rename(root / "sub-a/anat/sub-a_FLAIR.NII.GZ")
    assert value(load(root)[0].contrasts["FLAIR"]) == 1


def test_subjects_that_are_not_chosen_are_not_called_unused(folder):
    root = folder(scans("a", "b"))
    (root / "participants.tsv").write_text("participant_id\tfold\nsub-a\ttrain\nsub-b\ttest\n")
    inventory = take_inventory(root, where={"fold": "train"})
    assert (inventory.subjects, inventory.unused) == (("sub-a",), ())


def test_the_inventory_has_types_of_json(folder):
    content = take_inventory(folder(scans("a") | {"sub-a/anat/sub-a_T1w_mask.nii.gz": 1})).to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["scans"][0]["contrasts"]["T1w"] == T1W.format("a")
    assert content["unused"][0]["doubtful"] is True


def test_a_folder_in_no_layout_says_what_it_has(tmp_path):
    (tmp_path / "sub-a/anat").mkdir(parents=True)
    (tmp_path / "sub-a/anat/sub-a_T1w.nii.gz").symlink_to("nowhere")
    with pytest.raises(VolumeReadError, match=r"sub-a_T1w.nii.gz is a link to nothing: fetch"):
        take_inventory(tmp_path)


def test_one_bad_header_of_three_costs_one_subject(folder):
    root = folder(scans("a", "b", "c"))
    image = nibabel.load(root / T1W.format("b"))
    (root / T1W.format("b")).write_bytes(b"\0" * 400)
    volumes, errors = load(root, on_error="collect")
    assert [volume.subject for volume in volumes] == ["sub-a", "sub-c"]
    assert list(errors) == ["sub-b"] and image.shape == np.shape(volumes[0].contrasts["T1w"])


def test_folders_of_other_subjects_are_not_entered(folder, monkeypatch):
    root, entered = folder(scans("a", "b", "c")), []
    scandir = os.scandir

    def watched(path):
        entered.append(Path(path).name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watched)
    assert take_inventory(root, subjects=["b"]).subjects == ("sub-b",)
    assert entered == [root.name, "sub-b", "anat"]


SESSION = "sub-{0}/ses-{1}/anat/sub-{0}_ses-{1}_T1w.nii.gz"
TWO_VISITS = {SESSION.format(*each): 1 for each in (("a", "1"), ("a", "2"), ("b", "1"))}


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        ({"sessions": ["2"]}, ["sub-a_ses-2"]),
        ({"sessions": ["ses-1"]}, ["sub-a_ses-1", "sub-b_ses-1"]),
        ({"subjects": ["sub-a"]}, ["sub-a_ses-1", "sub-a_ses-2"]),
        ({"subjects": ["sub-b", "a"], "sessions": ["1"]}, ["sub-a_ses-1", "sub-b_ses-1"]),
        ({"where": {"participant_id": ["a,b", "a", "b"], "session": "1"}}, ["sub-a_ses-1", "sub-b_ses-1"]),
        ({"where": {"participant_id": "sub-a"}, "sessions": ["2"]}, ["sub-a_ses-2"]),
    ],
)
def test_subjects_and_sessions_are_selected_with_and_without_prefix(folder, selection, selected):
    inventory = take_inventory(folder(TWO_VISITS), **selection)
    assert [scan.name for scan in inventory.scans] == selected


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"subjects": ["a", "z"]}, "no subject 'z' among sub-a, sub-b"),
        ({"subjects": ["b"], "sessions": ["1", "2"]}, "no session '2' among ses-1"),
        ({"sessions": ["3"]}, "no session '3' among ses-1, ses-2"),
        ({"subjects": ["a", "b"], "sessions": ["2"]}, "Subject 'sub-b' has no session '2'"),
    ],
)
def test_what_is_not_there_is_not_selected_in_silence(folder, selection, told):
    with pytest.raises(SelectionError, match=told):
        take_inventory(folder(TWO_VISITS), **selection)


def test_a_session_of_scans_without_sessions_is_told(folder):
    with pytest.raises(SelectionError, match="no session '1' in the names of these scans"):
        take_inventory(folder(scans("a")), sessions=["1"])
