import pytest

from skad.datasets import CohortWarning, load_bids
from skad.io import VolumeReadError

some_unlabeled = pytest.mark.filterwarnings("ignore:.*labels. . of:skad.datasets.CohortWarning")
T1W, FLAIR = "sub-{0}/anat/sub-{0}_T1w.nii.gz", "sub-{0}/anat/sub-{0}_FLAIR.nii.gz"


def two_subjects(**more):
    return {T1W.format("a"): 1, FLAIR.format("a"): 2, T1W.format("b"): 3, FLAIR.format("b"): 4, **more}


def test_each_subject_is_a_volume_with_its_contrasts(folder, value):
    volumes = load_bids(folder(two_subjects()))
    assert [volume.subject for volume in volumes] == ["sub-a", "sub-b"]
    assert value(volumes[1].contrasts["FLAIR"]) == 4


def test_contrasts_come_in_the_order_asked_for(folder):
    volumes = load_bids(folder(two_subjects()), contrasts=("T1w", "FLAIR"))
    assert tuple(volumes[0].contrasts) == ("T1w", "FLAIR")


def test_by_default_only_common_contrasts_are_loaded(folder):
    volumes = load_bids(folder(two_subjects(**{"sub-a/anat/sub-a_T2w.nii": 5})))
    assert set(volumes[0].contrasts) == {"T1w", "FLAIR"}


def test_contrast_agent_is_part_of_a_contrasts_name(folder, value):
    (volume,) = load_bids(folder({T1W.format("a"): 1, "sub-a/anat/sub-a_ce-gadolinium_T1w.nii.gz": 2}))
    assert value(volume.contrasts["ce-gadolinium_T1w"]) == 2
    assert value(volume.contrasts["T1w"]) == 1


def test_lesions_become_labels_and_brains_the_mask(folder, value):
    files = {T1W.format("a"): 1, "sub-a/anat/sub-a_label-lesion_mask.nii.gz": 3}
    (volume,) = load_bids(folder(files | {"sub-a/anat/sub-a_label-brain_mask.nii.gz": 1}))
    assert tuple(volume.contrasts) == ("T1w",)
    assert (value(volume.labels), value(volume.mask)) == (3, True)


def test_annotations_may_be_derivatives(folder, value):
    derived = "derivatives/drawn/sub-a/anat/sub-a_space-T1w_label-lesion_dseg.nii.gz"
    brain = "derivatives/fmriprep/sub-a/anat/sub-a_desc-brain_mask.nii.gz"
    (volume,) = load_bids(folder({T1W.format("a"): 1, derived: 2, brain: 1}))
    assert (value(volume.labels), volume.has_mask) == (2, True)


def test_an_annotation_in_another_space_comes_second(folder, value):
    brain = "derivatives/fmriprep/sub-a/anat/sub-a_{}desc-brain_mask.nii.gz"
    (volume,) = load_bids(folder({T1W.format("a"): 1, brain.format(""): 1, brain.format("space-MNI_"): 0}))
    assert value(volume.mask) == 1


def test_an_annotation_beside_the_scan_comes_before_a_derivative(folder, value):
    name = "sub-a/anat/sub-a_label-lesion_mask.nii.gz"
    (volume,) = load_bids(folder({T1W.format("a"): 1, name: 2, f"derivatives/x/{name}": 3}))
    assert value(volume.labels) == 2


@some_unlabeled
def test_each_session_is_a_volume_of_the_same_patient(folder, value):
    path = "sub-a/ses-{0}/anat/sub-a_ses-{0}_T1w.nii.gz"
    mask = "derivatives/x/sub-a/ses-2/anat/sub-a_ses-2_label-lesion_mask.nii.gz"
    first, second = load_bids(folder({path.format(1): 1, path.format(2): 2, mask: 5}))
    assert (first.subject, second.subject) == ("sub-a", "sub-a")
    assert (first.info["session"], second.info["session"]) == ("ses-1", "ses-2")
    assert (first.labels, value(second.labels)) == (None, 5)


def test_columns_of_participants_and_paths_are_kept(folder):
    root = folder(two_subjects())
    (root / "participants.tsv").write_text(
        "participant_id\tsite\tfold\nsub-a\t007\ttrain\n", encoding="utf-8-sig"
    )
    first, second = load_bids(root)
    assert (first.info["site"], first.info["fold"]) == ("007", "train")
    assert first.info["paths"]["T1w"] == str(root / T1W.format("a"))
    assert "site" not in second.info


def test_a_table_without_participants_is_named(folder):
    root = folder(two_subjects())
    (root / "participants.tsv").write_text("id,site\nsub-a,7\n")
    with pytest.raises(VolumeReadError, match=r"participants.tsv should have .* column participant_id"):
        load_bids(root)


@pytest.mark.parametrize("subjects", [["sub-b"], ["b"]])
def test_subjects_can_be_chosen_with_or_without_prefix(folder, subjects):
    assert [volume.subject for volume in load_bids(folder(two_subjects()), subjects=subjects)] == ["sub-b"]


def test_an_unknown_subject_says_who_there_is(folder):
    with pytest.raises(VolumeReadError, match="no subject 'sub-z' among sub-a, sub-b"):
        load_bids(folder(two_subjects()), subjects=["sub-z"])


def test_silent_entities_are_dropped_when_that_leaves_no_doubt(folder, value):
    (volume,) = load_bids(folder({"sub-a/anat/sub-a_acq-mprage_T1w.nii.gz": 1}))
    assert value(volume.contrasts["T1w"]) == 1


def test_the_plain_name_wins_over_one_with_entities(folder, value):
    (volume,) = load_bids(folder({"sub-a/anat/sub-a_acq-fast_T1w.nii.gz": 1, T1W.format("a"): 2}))
    assert value(volume.contrasts["T1w"]) == 2


def test_the_first_of_several_runs_is_taken(folder, value):
    run = "sub-a/anat/sub-a_run-{}_T1w.nii.gz"
    (volume,) = load_bids(folder({run.format(2): 2, run.format(1): 1}))
    assert value(volume.contrasts["T1w"]) == 1


def test_files_that_differ_otherwise_are_asked_for_by_their_full_name(folder, value):
    root = folder({"sub-a/anat/sub-a_acq-x_T1w.nii.gz": 1, "sub-a/anat/sub-a_acq-y_T1w.nii.gz": 2})
    with (
        pytest.warns(CohortWarning, match="one of several T1w"),
        pytest.raises(
            VolumeReadError, match=r"'sub-a' has no contrast 'T1w' \(it has acq-x_T1w, acq-y_T1w\)"
        ),
    ):
        load_bids(root, contrasts=("T1w",))
    (volume,) = load_bids(root, contrasts=("acq-y_T1w",))
    assert value(volume.contrasts["acq-y_T1w"]) == 2


def test_maps_are_loaded_only_when_asked_for(folder, value):
    root = folder({T1W.format("a"): 1, "sub-a/anat/sub-a_desc-anomaly_map.nii.gz": 9})
    assert tuple(load_bids(root)[0].contrasts) == ("T1w",)
    assert value(load_bids(root, contrasts=["desc-anomaly_map"])[0].contrasts["desc-anomaly_map"]) == 9


def test_a_missing_contrast_names_subject_and_contrast(folder):
    files = {T1W.format("a"): 1, FLAIR.format("a"): 2, T1W.format("b"): 3}
    with pytest.raises(
        VolumeReadError, match=r"'sub-b' has no contrast 'FLAIR' \(it has T1w\): add the image"
    ):
        load_bids(folder(files), contrasts=("T1w", "FLAIR"))


def test_a_missing_contrast_may_become_nan(folder):
    files = {T1W.format("a"): 1, FLAIR.format("a"): 2, T1W.format("b"): 3}
    _, second = load_bids(folder(files), contrasts=("FLAIR", "T1w"), missing="nan")
    assert str(second.contrasts["FLAIR"][0, 0, 0]) == "nan"


def test_subjects_without_a_common_contrast_are_refused(folder):
    with pytest.raises(VolumeReadError, match="No contrast is common to all 2 subjects"):
        load_bids(folder({T1W.format("a"): 1, FLAIR.format("b"): 2}))


def test_one_corrupt_subject_can_be_left_out(folder):
    root = folder(two_subjects())
    (root / T1W.format("a")).write_bytes(b"not a scan")
    with pytest.raises(VolumeReadError, match="sub-a_T1w"):
        load_bids(root)
    volumes, errors = load_bids(root, on_error="collect")
    assert [volume.subject for volume in volumes] == ["sub-b"]
    assert list(errors) == ["sub-a"]
    assert "sub-a_T1w.nii.gz" in str(errors["sub-a"])


def test_hidden_and_other_files_are_ignored(folder):
    root = folder(two_subjects(**{"sub-a/anat/.sub-a_T2w.nii.gz": 1}))
    (root / "sub-a/anat/sub-a_T1w.json").write_text("{}")
    assert set(load_bids(root)[0].contrasts) == {"T1w", "FLAIR"}


@pytest.mark.parametrize(
    ("name", "message"), [("gone", "is not a folder"), ("", "has no sub-"), ("f", "not a folder")]
)
def test_what_is_no_bids_folder_is_named(tmp_path, name, message):
    (tmp_path / "f").touch()
    with pytest.raises(VolumeReadError, match=message):
        load_bids(tmp_path / name)


@pytest.mark.parametrize("argument", ["missing", "on_error"])
def test_unknown_choices_are_refused(folder, argument):
    with pytest.raises(ValueError, match=f"{argument} should be one of"):
        load_bids(folder(two_subjects()), **{argument: "ignore"})


def test_all_real_patients_are_found(real_data):
    volumes = load_bids(real_data / "glioma")
    assert len(volumes) == 61
    assert set(volumes[0].contrasts) == {"T1w", "FLAIR", "ce-gadolinium_T1w"}
    assert all(volume.has_labels and volume.has_mask for volume in volumes)
    assert sum(volume.info["fold"] == "train" for volume in volumes) == 48
    assert sum(volume.shape[2] for volume in volumes) == 1154


def test_another_annotation_than_the_lesions_may_be_the_labels(folder, value):
    files = {T1W.format("a"): 1, "sub-a/anat/sub-a_label-lesion_mask.nii.gz": 3}
    files["sub-a/anat/sub-a_dseg.nii.gz"] = 4
    files["derivatives/fs/sub-a/anat/sub-a_desc-aseg_dseg.nii.gz"] = 5
    root = folder(files)
    found = [value(load_bids(root, labels=name)[0].labels) for name in ("lesion", "dseg", "aseg")]
    assert found == [3, 4, 5]
    assert tuple(load_bids(root, labels="dseg")[0].contrasts) == ("T1w",)
