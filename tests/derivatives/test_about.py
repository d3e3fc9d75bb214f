"""What a folder of maps says of its detector."""

import json

import pytest

from skad.calibration import ConformalCalibrator
from skad.derivatives import Derivative
from skad.derivatives.about import about_detector

from .conftest import brain


def test_a_folder_says_what_its_detector_learned_from_and_its_parameters(detector, volumes, tmp_path):
    detector.score_cohort(volumes, out=tmp_path)
    facts = Derivative(tmp_path).about
    assert facts["Training"]["scans"] == "2"  # the detector of conftest.py
    assert facts["Training"]["slices without a lesion"] == str(detector.n_slices_)
    assert facts["preprocessor: VolumePreprocessor"]["size_mode"] == "'crop'"
    assert facts["pipeline: IntensityScorer"]["smoothing"] == "0"
    assert "n_jobs" not in facts["preprocessor: VolumePreprocessor"]
    assert facts["Calibration"]["origin"].endswith("which guarantees no false-positive rate")


def test_a_calibration_is_told_with_its_patients(detector):
    normal = [brain(seed) for seed in range(20, 24)]
    for volume in normal:
        volume._labels = None
    calibrator = ConformalCalibrator(detector, fpr=0.25, unit="patient").fit(normal)
    calibration = about_detector(detector, calibrator)["Calibration"]
    assert calibration["normal patients"] == "4"
    assert float(calibration["threshold"]) == pytest.approx(-calibrator.offset_, rel=1e-3)
    assert calibration["origin"].startswith("calibrated to a patient-wise false-positive rate of 0.25 in")


@pytest.mark.parametrize("content", ["", "[]", '{"Facts": {"a": 1}}', '{"Facts": {}, "Model": 3}'])
def test_a_malformed_file_says_nothing(detector, volumes, tmp_path, content):
    detector.score_cohort(volumes[:1], out=tmp_path)
    (tmp_path / "detector.json").write_text(content)
    assert Derivative(tmp_path).about == {}


def test_the_facts_of_another_detector_are_not_told(detector, volumes, tmp_path):
    detector.score_cohort(volumes[:1], out=tmp_path)
    content = json.loads((tmp_path / "detector.json").read_text())
    content["Model"]["SHA256"] = "0" * 64
    (tmp_path / "detector.json").write_text(json.dumps(content))
    assert Derivative(tmp_path).about == {}
