"""From normal subjects to a threshold with a promise, and from the threshold to tables of lesions."""

import csv
import json

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from skad.calibration import ConformalCalibrator
from skad.cli import main
from skad.datasets import load
from skad.io import Volume
from skad.persistence import load as load_detector


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def one_sentence(lines, *words):
    assert len(lines) == 1 and lines[0].endswith((".", "?")), lines
    for word in words:
        assert word in lines[0]


def healthy(brain, seed, scale=1.0):
    """A subject of the cohort without its lesion; `scale` bends the contrast of its FLAIR."""
    volume = brain(seed)
    flair, lesion = volume.contrasts["FLAIR"].copy(), volume.labels > 0
    flair[lesion] -= 40
    images = {"T1w": volume.contrasts["T1w"], "FLAIR": flair}
    images["FLAIR"] = np.where(flair > 0, flair**scale, 0)
    return Volume(images, volume.affine, subject=volume.subject, labels=np.zeros_like(volume.labels))


@pytest.fixture(scope="module")
def normal(tmp_path_factory, brain, write_subject):
    """Nine subjects without lesions; not to be changed."""
    folder = tmp_path_factory.mktemp("normal")
    for seed in range(31, 40):
        write_subject(folder, healthy(brain, seed))
    return folder


@pytest.fixture(scope="module")
def calibrated(detector, normal, tmp_path_factory):
    """The detector, calibrated on whole subjects; not to be changed."""
    out = tmp_path_factory.mktemp("calibrated") / "calibrated.skad"
    arguments = ["calibrate", detector, normal, "--out", out, "--fpr", 0.1, "--unit", "patient"]
    assert main([str(argument) for argument in arguments]) == 0
    return out


quiet = pytest.mark.filterwarnings("ignore::skad.calibration.DriftWarning")  # lesions, not a scanner


def test_the_calibrated_file_is_the_detector_with_the_library_s_threshold(calibrated, detector, normal):
    loaded = load_detector(calibrated)
    expected = ConformalCalibrator(load_detector(detector), fpr=0.1, unit="patient").fit(load(normal))
    assert (loaded.fpr, loaded.unit, loaded.n_patients_) == (0.1, "patient", 9)
    np.testing.assert_array_equal(loaded.thresholds_, expected.thresholds_)
    volume = load(normal)[0]
    np.testing.assert_array_equal(
        loaded.detector.score_volume(volume).get_fdata(),
        load_detector(detector).score_volume(volume).get_fdata(),
    )


@quiet
def test_calibrated_scoring_writes_masks_and_lesions_above_the_threshold(calibrated, cohort, tmp_path, run):
    arguments = ["score", calibrated, cohort, "--out", tmp_path, "--no-figures", "--min-volume", 0]
    code, _, err = run(*arguments, "--fpr", 0.5)
    assert (code, err) == (0, [])
    calibrator = load_detector(calibrated).set_params(fpr=0.5)
    for subject in ("sub-01", "sub-02", "sub-03"):
        anatomy = tmp_path / subject / "anat"
        image = nibabel.load(anatomy / f"{subject}_desc-anomaly_map.nii.gz")
        anomaly = image.get_fdata(dtype=np.float32)
        mask = nibabel.load(anatomy / f"{subject}_desc-lesions_mask.nii.gz").get_fdata()
        np.testing.assert_array_equal(mask, np.nan_to_num(anomaly, nan=-np.inf) > -calibrator.offset_)
        table = rows(tmp_path / subject / "lesions.csv")
        assert len(table) == ndimage.label(mask)[1]
        total = sum(float(row["volume_ml"]) for row in table)
        assert total == pytest.approx(mask.sum() * 0.02)  # voxels of 2 x 2 x 5 mm
        for row in table:
            place = [float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")]
            index = np.linalg.solve(image.affine, [*place, 1])[:3]
            assert (index > -1).all() and (index < image.shape).all()
            peak = np.float32(row["peak_score"])
            assert (anomaly == peak).any()
            assert float(row["p_value"]) == calibrator.p_values_of(peak) <= 0.5
        sidecar = json.loads((anatomy / f"{subject}_desc-anomaly_map.json").read_text())
        assert sidecar["Lesions"] == {
            "Threshold": -calibrator.offset_,
            "MinVolumeML": 0.0,
            "FalsePositiveRate": 0.5,
            "Unit": "patient",
        }
    assert sum(int(row["n_lesions"]) for row in rows(tmp_path / "scores.csv")) > 0


@quiet
def test_the_rate_of_calibration_is_the_default_and_small_lesions_go(calibrated, cohort, tmp_path, run):
    assert run("score", calibrated, cohort, "--out", tmp_path, "--no-figures", "--min-volume", 1e6)[0] == 0
    sidecar = json.loads((tmp_path / "sub-01/anat/sub-01_desc-anomaly_map.json").read_text())
    assert sidecar["Lesions"]["FalsePositiveRate"] == 0.1
    text = (tmp_path / "sub-01/lesions.csv").read_text()
    assert text.split() == [
        "lesion,volume_ml,x_mm,y_mm,z_mm,peak_score,p_value,peak_x_mm,peak_y_mm,peak_z_mm"
    ]


@quiet
def test_a_resumed_scoring_at_another_rate_starts_anew(calibrated, cohort, tmp_path, run):
    arguments = ["score", calibrated, cohort, "--out", tmp_path, "--no-figures", "--resume"]
    path = tmp_path / "sub-02/lesions.csv"
    run(*arguments, "--fpr", 0.1)
    path.write_text("kept")
    run(*arguments, "--fpr", 0.1)
    assert path.read_text() == "kept"
    run(*arguments, "--fpr", 0.2)
    assert path.read_text().startswith("lesion,")


def test_without_calibration_lesions_lie_above_the_detector_s_own_threshold(detector, cohort, tmp_path, run):
    arguments = ["score", detector, cohort, "--out", tmp_path, "--no-figures", "--min-volume", 0]
    assert run(*arguments)[0] == 0
    threshold = -load_detector(detector).pipeline_[-1].offset_
    anomaly = nibabel.load(tmp_path / "sub-01/anat/sub-01_desc-anomaly_map.nii.gz").get_fdata(
        dtype=np.float32
    )
    expected = ndimage.label(np.nan_to_num(anomaly, nan=-np.inf) > threshold)[1]
    table = rows(tmp_path / "sub-01/lesions.csv")
    assert len(table) == expected > 0 and "p_value" not in table[0]
    assert not list(tmp_path.glob("**/*_mask.nii.gz"))


def test_a_rate_without_calibration_says_how_to_get_one(detector, cohort, tmp_path, run):
    code, _, err = run("score", detector, cohort, "--out", tmp_path / "maps", "--fpr", 0.05)
    assert code == 2
    one_sentence(err, "--fpr 0.05 needs a calibrated detector", f"`skad calibrate {detector} NORMAL --out")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fpr", 0.01], ["fpr=0.01 needs at least 99 normal patients", "got 9", "at least 0.1"]),
        (["--fpr", 1.5], ["'fpr'", "1.5"]),
        (["--min-volume", -1], ["--min-volume", "-1"]),
    ],
)
def test_a_rate_that_cannot_be_promised_is_refused_before_any_work(
    options, words, calibrated, cohort, tmp_path, run
):
    code, _, err = run("score", calibrated, cohort, "--out", tmp_path / "maps", *options)
    assert code == 2
    one_sentence(err, *words)
    assert not (tmp_path / "maps").exists()


def test_calibration_on_too_few_subjects_or_on_patients_is_refused(detector, normal, cohort, tmp_path, run):
    out = tmp_path / "calibrated.skad"
    code, _, err = run("calibrate", detector, normal, "--out", out)
    assert code == 2
    one_sentence(err, "fpr=0.01 needs at least 99 normal patients to calibrate on, got 9")
    code, _, err = run("calibrate", detector, cohort, "--out", out, "--fpr", 0.3)
    assert code == 2
    one_sentence(err, "'sub-01', 'sub-02', 'sub-03' have a labeled lesion", "leave them out")
    assert not out.exists()


def test_a_calibrated_file_is_not_overwritten_by_accident_and_can_be_calibrated_again(
    calibrated, normal, tmp_path, run
):
    out = tmp_path / "again.skad"
    out.write_text("precious")
    arguments = ["calibrate", calibrated, normal, "--out", out, "--fpr", 0.2]
    code, _, err = run(*arguments)
    assert code == 2
    one_sentence(err, "already exists", "--overwrite")
    assert out.read_text() == "precious"
    code, told, _ = run(*arguments, "--overwrite")
    assert code == 0 and "pixel-wise false-positive rate of 0.2, from 9 subjects" in told
    assert type(load_detector(out).detector).__name__ == "VolumeAnomalyDetector"


@pytest.mark.filterwarnings("always::skad.calibration.DriftWarning")
def test_another_scanner_is_told_in_one_line_and_the_same_one_is_not(
    calibrated, brain, write_subject, tmp_path, run
):
    for seed in range(41, 45):
        write_subject(tmp_path / "same", healthy(brain, seed))
        write_subject(tmp_path / "other", healthy(brain, seed, scale=12.0))
    for name, told in (("same", 0), ("other", 1)):
        out = tmp_path / f"{name}-maps"
        code, _, err = run("score", calibrated, tmp_path / name, "--out", out, "--no-figures")
        assert code == 0 and len(err) == told, err
    one_sentence(err, "skad score: warning: The scores of these 4 patients do not look like", "9 patients")
