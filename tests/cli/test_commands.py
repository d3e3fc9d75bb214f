"""What the commands do when all is well."""

import csv
import json

import nibabel
import numpy as np
import pytest

from skad import VolumeAnomalyDetector
from skad.datasets import load
from skad.metrics import foreground_roc_auc_score
from skad.persistence import load as load_detector


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def maps(detector, cohort, tmp_path, run):
    """Maps of the cohort."""
    assert run("score", detector, cohort, "--out", tmp_path / "maps", "--no-figures")[0] == 0
    return tmp_path / "maps"


def test_fit_keeps_contrasts_and_settings_and_leaves_one_file(detector):
    loaded = load_detector(detector)
    assert loaded.contrasts_ == ("FLAIR", "T1w")
    assert loaded.pipeline.get_params()["score__n_components"] == 2
    assert [path.name for path in detector.parent.iterdir()] == ["adm.skad"]


def test_fit_with_the_same_seed_gives_the_same_file(cohort, detector, tmp_path, run, fast):
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "again.skad", *fast)[0] == 0
    assert (tmp_path / "again.skad").read_bytes() == detector.read_bytes()


def test_fit_without_a_method_takes_the_mixture_and_says_what_is_abnormal(cohort, tmp_path, run):
    code, out, _ = run("fit", cohort, "--out", tmp_path / "quick.skad")
    assert code == 0
    assert "Abnormal is FLAIR brighter than expected given T1w." in out
    scorer = load_detector(tmp_path / "quick.skad").pipeline_[-1]
    assert (scorer.contrast, scorer.given, scorer.sign) == (0, [1], 1)


def test_fit_on_disk_gives_the_same_file(cohort, detector, tmp_path, run, fast):
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "disk.skad", "--on-disk", *fast)[0] == 0
    assert (tmp_path / "disk.skad").read_bytes() == detector.read_bytes()
    assert len(list(tmp_path.iterdir())) == 1


def test_fit_with_another_seed_gives_another_file(cohort, detector, tmp_path, run, fast):
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", "--seed", 1, *fast)[0] == 0
    assert (tmp_path / "x").read_bytes() != detector.read_bytes()


def test_fit_takes_only_the_participants_it_is_told(tmp_path, write_cohort, run, fast):
    folder = write_cohort(tmp_path / "in")
    table = "participant_id\tfold\nsub-01\ttrain\nsub-02\ttrain\nsub-03\tvalidation\n"
    (folder / "participants.tsv").write_text(table)
    code, out, _ = run(
        "fit", folder, "--method", "adm", "--out", tmp_path / "x", "--where", "fold=train", *fast
    )
    assert code == 0
    assert out.startswith("2 subjects with FLAIR, T1w")


def test_the_number_of_jobs_is_not_part_of_the_detector(cohort, detector, tmp_path, run, fast):
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", "--jobs", 2, *fast)[0] == 0
    assert (tmp_path / "x").read_bytes() == detector.read_bytes()


def test_fit_learns_from_slices_without_lesion_only(cohort, tmp_path, run, fast):
    out = run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", *fast)[1]
    assert "from 12 slices" in out  # 3 subjects of 6 slices, 2 of each with a lesion


PLANTED = "reference__width=2 reference__n_blocks=0 score__width=2 score__depth=1"
ENSEMBLE = "score__cv=2 score__network__width=2 score__network__depth=1 score__network__epoch_size=1"


@pytest.mark.parametrize(("method", "small"), [("planted", PLANTED), ("ensemble", ENSEMBLE)])
def test_networks_on_planted_lesions_are_methods_of_the_command_line(method, small, cohort, tmp_path, run):
    detector, maps = tmp_path / "planted.skad", tmp_path / "maps"
    options = ["--epochs", 1, "--set", *small.split(), "preprocessor__size=(24,24)"]
    assert run("fit", cohort, "--method", method, "--out", detector, *options)[0] == 0
    assert run("score", detector, cohort, "--out", maps, "--no-figures")[0] == 0
    assert len(list(maps.glob("sub-*/anat/*_map.nii.gz"))) == 3


def test_maps_lie_where_bids_has_them_on_the_grid_of_the_input(maps, cohort):
    for subject in ("sub-01", "sub-02", "sub-03"):
        image = nibabel.load(maps / subject / "anat" / f"{subject}_desc-anomaly_map.nii.gz")
        scan = nibabel.load(cohort / subject / "anat" / f"{subject}_T1w.nii.gz")
        assert image.shape == scan.shape
        np.testing.assert_array_equal(image.affine, scan.affine)


def test_a_map_on_disk_is_what_the_library_scores(maps, detector, cohort):
    volume = load(cohort)[1]
    expected = load_detector(detector).score_volume(volume).get_fdata(dtype=np.float32)
    image = nibabel.load(maps / "sub-02/anat/sub-02_desc-anomaly_map.nii.gz")
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), expected)


def test_the_sidecar_tells_sign_software_and_sources(maps):
    sidecar = json.loads((maps / "sub-01/anat/sub-01_desc-anomaly_map.json").read_text())
    assert (sidecar["Sign"], sidecar["OutsideForeground"], sidecar["MissingContrasts"]) == (
        "high is abnormal",
        "NaN",
        [],
    )
    assert sidecar["GeneratedBy"][0]["Name"] == "skad"
    assert sidecar["Sources"] == [
        "bids:scans:sub-01/anat/sub-01_FLAIR.nii.gz",
        "bids:scans:sub-01/anat/sub-01_T1w.nii.gz",
    ]


def test_the_folder_of_maps_is_a_bids_derivative(maps):
    description = json.loads((maps / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= description.keys()


def test_the_table_of_scores_summarizes_the_maps(maps):
    table = rows(maps / "scores.csv")
    image = nibabel.load(maps / table[0]["map"]).get_fdata(dtype=np.float32)
    assert [row["subject"] for row in table] == ["sub-01", "sub-02", "sub-03"]
    assert float(table[0]["maximum"]) == np.nanmax(image)
    assert int(table[0]["n_voxels"]) == np.isfinite(image).sum()


def test_two_jobs_give_the_maps_of_one(maps, detector, cohort, tmp_path, run):
    assert run("score", detector, cohort, "--out", tmp_path / "two", "--no-figures", "--jobs", 2)[0] == 0
    for path in sorted(maps.glob("sub-*/anat/*.nii.gz")):
        first, second = (
            nibabel.load(p).get_fdata() for p in (path, tmp_path / "two" / path.relative_to(maps))
        )
        np.testing.assert_allclose(second, first, rtol=1e-5)


def test_a_missing_contrast_is_told_in_sidecar_table_and_header(
    detector, tmp_path, brain, write_subject, run
):
    anat = write_subject(tmp_path / "in", brain(4))
    (anat / "sub-04_T1w.nii.gz").unlink()
    assert run("score", detector, tmp_path / "in", "--out", tmp_path / "maps")[0] == 0
    path = tmp_path / "maps/sub-04/anat/sub-04_desc-anomaly_map.nii.gz"
    assert json.loads(path.with_name("sub-04_desc-anomaly_map.json").read_text())["MissingContrasts"] == [
        "T1w"
    ]
    assert rows(tmp_path / "maps/scores.csv")[0]["missing_contrasts"] == "T1w"
    assert b"without T1w" in nibabel.load(path).header["descrip"].item()


def test_score_draws_each_subject(detector, tmp_path, brain, write_subject, run):
    write_subject(tmp_path / "in", brain(4))
    assert run("score", detector, tmp_path / "in", "--out", tmp_path / "maps")[0] == 0
    picture = tmp_path / "maps/sub-04/figures/sub-04_desc-anomaly_map.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_resumed_scoring_keeps_the_maps_of_the_same_detector(maps, detector, cohort, run, monkeypatch):
    (maps / "sub-02/anat/sub-02_desc-anomaly_map.nii.gz").unlink()
    scored, anomaly_of = [], VolumeAnomalyDetector.anomaly_of
    monkeypatch.setattr(
        VolumeAnomalyDetector,
        "anomaly_of",
        lambda self, volume: scored.append(volume.subject) or anomaly_of(self, volume),
    )
    assert run("score", detector, cohort, "--out", maps, "--no-figures", "--resume")[0] == 0
    assert scored == ["sub-02"]
    assert len(rows(maps / "scores.csv")) == 3


def test_a_resumed_scoring_replaces_the_maps_of_another_detector(maps, cohort, tmp_path, run, fast):
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "other", "--seed", 1, *fast)[0] == 0
    before = (maps / "sub-01/anat/sub-01_desc-anomaly_map.nii.gz").read_bytes()
    assert run("score", tmp_path / "other", cohort, "--out", maps, "--no-figures", "--resume")[0] == 0
    assert (maps / "sub-01/anat/sub-01_desc-anomaly_map.nii.gz").read_bytes() != before


def test_evaluate_gives_each_subject_the_exact_score(maps, cohort, run):
    assert run("evaluate", maps, cohort)[0] == 0
    table = {(row["subject"], row["label"]): row for row in rows(maps / "evaluation.csv")}
    for volume in load(cohort):
        name = f"{volume.subject}/anat/{volume.subject}_desc-anomaly_map.nii.gz"
        expected = foreground_roc_auc_score(
            volume.labels, nibabel.load(maps / name).get_fdata(dtype=np.float32)
        )
        assert float(table[volume.subject, "any"]["roc_auc"]) == pytest.approx(expected, abs=1e-12)
        assert int(table[volume.subject, "1"]["n_abnormal"]) == 24


def test_evaluate_sums_up_mean_deviation_and_pooled_scores(maps, cohort, run):
    run("evaluate", maps, cohort)
    table = {(row["subject"], row["label"]): row for row in rows(maps / "evaluation.csv")}
    values = [float(table[f"sub-0{i}", "any"]["best_dice"]) for i in (1, 2, 3)]
    assert float(table["mean", "any"]["best_dice"]) == pytest.approx(np.mean(values))
    assert float(table["sd", "any"]["best_dice"]) == pytest.approx(np.std(values))
    volumes = load(cohort)
    paths = [maps / f"{v.subject}/anat/{v.subject}_desc-anomaly_map.nii.gz" for v in volumes]
    anomaly = np.stack([nibabel.load(path).get_fdata(dtype=np.float32) for path in paths])
    pooled = foreground_roc_auc_score(np.stack([v.labels for v in volumes]), anomaly)
    assert float(table["pooled", "any"]["roc_auc"]) == pytest.approx(pooled, abs=2e-3)


def test_evaluate_tabulates_lesion_sizes(maps, cohort, run):
    run("evaluate", maps, cohort, "--size-step", 10)
    (row,) = rows(maps / "lesion_sizes.csv")
    assert (row["smallest_pixels"], row["largest_pixels"], row["n_slices"]) == (
        "11",
        "20",
        "6",
    )  # 3 x 4 pixels


def test_zero_outside_the_foreground_is_not_evaluated(cohort, tmp_path, run, fast):
    zero = [*fast, "preprocessor__outside=zero"]
    assert run("fit", cohort, "--method", "adm", "--out", tmp_path / "x", *zero)[0] == 0
    assert run("score", tmp_path / "x", cohort, "--out", tmp_path / "maps", "--no-figures")[0] == 0
    assert run("evaluate", tmp_path / "maps", cohort)[0] == 0
    inside = int(rows(tmp_path / "maps/scores.csv")[0]["n_voxels"])
    row = rows(tmp_path / "maps/evaluation.csv")[0]
    assert int(row["n_abnormal"]) + int(row["n_normal"]) == inside < 20 * 24 * 6


def test_version_and_help_end_well(run):
    code, out, _ = run("--version")
    assert (code, out.split()[0]) == (0, "skad")
    assert run("fit", "--help")[0] == 0
