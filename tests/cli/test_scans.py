"""What a command scores: the files of one patient, one subject's folder, some of a cohort."""

import csv
import json
import shutil

import nibabel
import numpy as np
import pytest

from skad.cli.arguments import condition


@pytest.fixture
def images(cohort):
    """``--image`` of one patient."""
    anat = cohort / "sub-02/anat"
    return [f"{name}={anat / f'sub-02_{name}.nii.gz'}" for name in ("FLAIR", "T1w")]


@pytest.fixture(scope="module")
def expected(cohort, detector, tmp_path_factory):
    """The map of the patient, scored as one of the cohort."""
    from skad.cli import main

    out = tmp_path_factory.mktemp("maps")
    arguments = ["score", detector, cohort, "--out", out, "--no-figures", "--no-report"]
    assert main([str(each) for each in arguments]) == 0
    return nibabel.load(out / "sub-02/anat/sub-02_desc-anomaly_map.nii.gz").get_fdata()


def test_one_patient_without_a_folder(run, detector, images, expected, tmp_path):
    code, out, err = run("score", detector, "--image", *images, "--out", tmp_path / "map.nii.gz")
    assert (code, err) == (0, []) and "highest score" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.html", "map.nii.gz", "map_lesions.csv"]
    np.testing.assert_array_equal(nibabel.load(tmp_path / "map.nii.gz").get_fdata(), expected)


def test_one_patient_into_a_folder(run, detector, images, expected, tmp_path):
    assert run("score", detector, "--image", *images, "--out", tmp_path / "maps")[0] == 0
    path = tmp_path / "maps/sub-02/anat/sub-02_desc-anomaly_map.nii.gz"
    np.testing.assert_array_equal(nibabel.load(path).get_fdata(), expected)


def test_one_subjects_folder(run, detector, cohort, expected, tmp_path):
    out = tmp_path / "maps"
    assert run("score", detector, cohort / "sub-02", "--out", out, "--no-figures")[0] == 0
    assert [path.name for path in out.glob("sub-*")] == ["sub-02"]
    sidecar = json.loads((out / "sub-02/anat/sub-02_desc-anomaly_map.json").read_text())
    assert sidecar["Sources"][0] == "bids:scans:sub-02/anat/sub-02_FLAIR.nii.gz"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "There should be either a folder of scans or --image"),
        (["--image", "FLAIR"], "should look like NAME=FILE"),
        (["--image", "FLAR=a.nii.gz"], "did you mean FLAIR?"),
        (["--image", "FLAIR=nowhere.nii.gz"], "does not exist"),
    ],
)
def test_mistakes_are_one_line(words, told, run, detector, tmp_path):
    code, _, err = run("score", detector, *words, "--out", tmp_path / "map.nii.gz")
    assert code == 2 and len(err) == 1 and told in err[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("where", "subjects"),
    [
        (["site=A,B"], ["sub-01", "sub-02"]),
        (["site=A", "site=C"], ["sub-01", "sub-03"]),
        (["site=A,B", "fold=test"], ["sub-02"]),
    ],
)
def test_several_values_of_a_column_will_do(where, subjects, run, detector, cohort, tmp_path):
    scans = shutil.copytree(cohort, tmp_path / "scans")
    rows = ["participant_id\tsite\tfold", "sub-01\tA\ttrain", "sub-02\tB\ttest", "sub-03\tC\ttest"]
    (scans / "participants.tsv").write_text("\n".join(rows) + "\n")
    options = ["--no-figures", "--no-report", "--where", *where]
    assert run("score", detector, scans, "--out", tmp_path / "maps", *options)[0] == 0
    with open(tmp_path / "maps/scores.csv", newline="") as file:
        assert [row["subject"] for row in csv.DictReader(file)] == subjects


def test_a_value_with_a_comma_is_a_value_too():
    assert "A,B" in condition("site=A,B")[1]


def test_info_tells_what_a_detector_is(run, detector):
    code, out, err = run("info", detector)
    assert (code, err) == (0, [])
    for text in (
        "contrasts:                FLAIR, T1w",
        "slices without a lesion:  12",
        "which guarantees no false-positive rate",
        "ContrastTranslator",
        "width = 2",
    ):
        assert text in out
    result = json.loads(run("info", detector, "--json")[1])
    assert result["parameters"]["score"]["n_components"] == 2


@pytest.mark.parametrize(
    ("command", "option", "goes_with"),
    [
        ("score", ("--where", "fold=train"), "a folder"),
        ("score", ("--strict",), "a folder"),
        ("quick", ("--contrasts", "T1w"), "a folder"),
        ("quick", ("--mask", "brain.nii.gz"), "--image"),
    ],
)
def test_an_option_that_would_do_nothing_is_a_mistake(
    run, cohort, detector, images, tmp_path, command, option, goes_with
):
    scans = [cohort] if goes_with == "--image" else ["--image", *images]
    model = [detector] if command == "score" else []
    code, _, err = run(command, *model, *scans, *option, "--out", tmp_path / "maps")
    assert code == 2 and err == [f"skad {command}: {option[0]} can only be used with {goes_with}."]
    assert not (tmp_path / "maps").exists()
