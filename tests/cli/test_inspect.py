"""What is not used is told by every command that loads a folder, listed by `inspect`, refused by --strict."""

import json
import shutil

import pytest

MASK = "sub-02_label-lesion_mask.nii.gz"


@pytest.fixture
def partly(cohort, tmp_path):
    """The cohort with the lesions of one subject lost."""
    shutil.copytree(cohort, tmp_path / "in")
    path = tmp_path / "in/sub-02/anat" / MASK
    path.unlink()
    path.symlink_to("../../.git/annex/objects/x.nii.gz")
    return tmp_path / "in"


def test_inspect_shows_subjects_and_every_unused_file(partly, run):
    code, out, err = run("inspect", partly, "--contrasts", "T1w")
    assert code == 0
    assert "3 subjects with T1w; labels: 2 of 3, masks: 0 of 3, image files not used: 4." in out
    assert "Labels: *_label-lesion_mask.nii.gz." in out
    assert "sub-01: T1w, labels; 20x24x6 voxels of 2x2x5 mm" in out
    assert f"! sub-02/anat/{MASK} is a link to nothing" in out
    assert "- sub-02/anat/sub-02_FLAIR.nii.gz shows FLAIR" in out
    assert len(err) == 2 and "2 of 3 scans have them, sub-02 not" in err[1]


def test_inspect_gives_json(partly, run):
    code, out, _ = run("inspect", partly, "--json")
    inventory = json.loads(out)["inventory"]
    assert code == 0 and (inventory["n_scans"], inventory["n_labels"]) == (3, 2)
    assert [each["path"] for each in inventory["unused"]] == [f"sub-02/anat/{MASK}"]


def test_inspect_names_what_cannot_be_opened(partly, run):
    (partly / "sub-03/anat/sub-03_T1w.nii.gz").write_bytes(b"no scan")
    code, out, err = run("inspect", partly)
    assert code == 1 and "sub-03: FLAIR, T1w, labels; cannot be opened" in out
    assert "sub-03_T1w.nii.gz is not a readable NIfTI file" in err[-1]


def test_a_whole_cohort_passes_strictly(cohort, run):
    assert run("inspect", cohort, "--strict")[0::2] == (0, [])


@pytest.mark.parametrize("command", ["inspect", "fit", "score", "calibrate", "tune"])
def test_strict_refuses_what_is_told_otherwise(command, partly, detector, tmp_path, run):
    arguments = {
        "inspect": [partly],
        "fit": [partly, "--method", "adm", "--out", tmp_path / "x.skad"],
        "tune": [partly, "--method", "adm", "--out", tmp_path / "x.skad"],
        "score": [detector, partly, "--out", tmp_path / "maps"],
        "calibrate": [detector, partly, "--out", tmp_path / "x.skad"],
    }[command]
    code, _, err = run(command, *arguments, "--strict")
    assert code == 2 and f"--strict: {partly}: " in err[-1] and MASK in err[-1]
    assert not list(tmp_path.glob("x.skad*")) and not (tmp_path / "maps").exists()


def test_fit_tells_lost_labels_and_goes_on(partly, tmp_path, run, fast):
    code, out, err = run("fit", partly, "--method", "adm", "--out", tmp_path / "x.skad", *fast)
    assert code == 0 and out.startswith("3 subjects with FLAIR, T1w; labels: 2 of 3")
    (line,) = err
    assert MASK in line and "labels: 2 of 3 scans have them, sub-02 not" in line


def test_fit_goes_on_without_a_subject_that_cannot_be_opened(cohort, tmp_path, run, fast):
    shutil.copytree(cohort, tmp_path / "in")
    (tmp_path / "in/sub-03/anat/sub-03_T1w.nii.gz").write_bytes(b"no scan")
    code, out, err = run("fit", tmp_path / "in", "--method", "adm", "--out", tmp_path / "x.skad", *fast)
    assert code == 1 and "2 subjects with" in out and (tmp_path / "x.skad").exists()
    (line,) = err
    assert line.startswith("skad fit: sub-03: ") and "sub-03_T1w.nii.gz" in line
