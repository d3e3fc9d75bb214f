"""The call of a BIDS App: levels, labels, and the exit codes of the execution specification."""

import csv
import shutil

import nibabel
import numpy as np
import pytest

from skad.bids_app import main
from skad.utils.locks import fcntl, locked


@pytest.fixture
def app(detector, capsys):
    """Run ``skad-bids`` with the detector; gives exit code and standard error."""

    def app(*arguments, model=detector):
        capsys.readouterr()
        code = main([str(each) for each in (*arguments, "--model", model, "--quiet")])
        return code, capsys.readouterr().err

    return app


@pytest.fixture(scope="module")
def visits(cohort, tmp_path_factory):
    """Two subjects, the first with two sessions."""
    root = tmp_path_factory.mktemp("visits")
    for subject, session in (("01", "1"), ("01", "2"), ("02", "1")):
        anat = root / f"sub-{subject}/ses-{session}/anat"
        anat.mkdir(parents=True)
        for contrast in ("T1w", "FLAIR"):
            source = cohort / f"sub-{subject}/anat/sub-{subject}_{contrast}.nii.gz"
            shutil.copy(source, anat / f"sub-{subject}_ses-{session}_{contrast}.nii.gz")
    return root


def maps_in(folder):
    return sorted(path.name.removesuffix("_desc-anomaly_map.nii.gz") for path in folder.rglob("*_map.nii.gz"))


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_participants_are_scored_without_tables_and_group_adds_them(app, cohort, tmp_path):
    out = tmp_path / "maps"
    assert app(cohort, out, "participant", "--participant-label", "01", "sub-02") == (0, "")
    assert maps_in(out) == ["sub-01", "sub-02"]
    assert not (out / "scores.csv").exists() and not (out / "report.html").exists()
    assert (out / "dataset_description.json").exists()
    assert app(cohort, out, "group", "--participant-label", "01", "02") == (0, "")
    assert [row["subject"] for row in rows(out / "scores.csv")] == ["sub-01", "sub-02"]
    assert {"report.html", "evaluation.csv"} <= {path.name for path in out.iterdir()}  # lesions are labeled


def test_the_maps_are_those_of_skad_score(app, run, detector, cohort, tmp_path):
    assert app(cohort, tmp_path / "app", "participant", "--participant_label", "03")[0] == 0
    options = ["--where", "participant_id=03", "--no-figures", "--no-report"]
    assert run("score", detector, cohort, "--out", tmp_path / "score", *options)[0] == 0
    name = "sub-03/anat/sub-03_desc-anomaly_map.nii.gz"
    first, second = (nibabel.load(tmp_path / folder / name).get_fdata() for folder in ("app", "score"))
    np.testing.assert_array_equal(first, second)


def test_group_scores_who_was_left_out_and_keeps_the_others(app, visits, tmp_path):
    out = tmp_path / "maps"
    assert app(visits, out, "participant", "--participant-label", "01")[0] == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*_map.nii.gz")}
    assert app(visits, out, "group")[0] == 0
    assert maps_in(out) == ["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert (out / "report.html").exists()


@pytest.mark.parametrize(
    ("labels", "scored"),
    [
        (["--session-label", "2"], ["sub-01_ses-2"]),
        (["--session_label", "ses-1"], ["sub-01_ses-1", "sub-02_ses-1"]),
        (["--participant-label", "sub-01", "--session-label", "1"], ["sub-01_ses-1"]),
    ],
)
def test_sessions_are_chosen_by_label(app, visits, tmp_path, labels, scored):
    assert app(visits, tmp_path / "maps", "participant", *labels)[0] == 0
    assert maps_in(tmp_path / "maps") == scored


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["--participant-label", "01", "99"], "no subject '99'"),
        (["--session-label", "7"], "no session '7'"),
        (["--participant-label", "02", "--session-label", "2"], "no session '2'"),
        (["--where", "site=A"], "no column 'site'"),
    ],
)
def test_labels_that_select_nothing_are_exit_code_18(app, visits, tmp_path, labels, told):
    code, err = app(visits, tmp_path / "maps", "participant", *labels)
    assert code == 18 and told in err and err.count("\n") == 1
    assert not (tmp_path / "maps").exists()


def test_one_of_several_values_of_a_column_is_enough(app, cohort, tmp_path):
    study = shutil.copytree(cohort, tmp_path / "study")
    table = "participant_id\tsite\nsub-01\tA\nsub-02\tB\nsub-03\tC\n"
    (study / "participants.tsv").write_text(table)
    assert app(study, tmp_path / "maps", "participant", "--where", "site=A,C")[0] == 0
    assert maps_in(tmp_path / "maps") == ["sub-01", "sub-03"]


def test_mistakes_have_the_codes_of_the_specification(app, cohort, tmp_path):
    out, empty = tmp_path / "maps", tmp_path / "empty"
    empty.mkdir()
    assert app(cohort, out, "session")[0] == 17
    assert app(cohort, out, "participant", "--fpr", "0.1")[0] == 64  # the detector is not calibrated
    assert app(cohort, out, "participant", "--nonsense")[0] == 64
    assert main([str(cohort), str(out), "participant"]) == 64  # no --model
    assert app(tmp_path / "nowhere", out, "participant")[0] == 66
    assert app(cohort, out, "participant", model=tmp_path / "no.skad")[0] == 66
    assert app(cohort, empty, "group")[0] == 66
    assert app(empty, out, "participant")[0] == 16
    (tmp_path / "file").write_text("")
    assert app(cohort, tmp_path / "file", "participant")[0] == 73


def test_damaged_scans_are_1_or_65(app, cohort, tmp_path):
    study = shutil.copytree(cohort, tmp_path / "study")
    path = study / "sub-02/anat/sub-02_FLAIR.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    code, err = app(study, tmp_path / "maps", "participant")
    assert code == 1 and "sub-02" in err and maps_in(tmp_path / "maps") == ["sub-01", "sub-03"]
    assert app(study, tmp_path / "maps", "participant", "--participant-label", "02")[0] == 65


@pytest.mark.skipif(fcntl is None, reason="no locks on this system")
def test_two_runs_share_an_output_but_not_a_participant(app, cohort, tmp_path):
    (other := tmp_path / "maps" / "sub-02").mkdir(parents=True)
    with locked(other):
        assert app(cohort, tmp_path / "maps", "participant", "--participant-label", "01")[0] == 0
        code, err = app(cohort, tmp_path / "maps", "participant", "--participant-label", "02")
    assert code == 65 and "in use by another run" in err


def test_group_waits_for_nobody(app, cohort, tmp_path):
    assert app(cohort, tmp_path / "maps", "participant", "--participant-label", "01")[0] == 0
    with locked(tmp_path / "maps"):
        assert app(cohort, tmp_path / "maps", "group")[0] == 75


def test_help_names_the_arguments_of_the_standard(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for word in ("bids_dir", "output_dir", "{participant,group}", "--participant-label", "exit codes"):
        assert word in text
