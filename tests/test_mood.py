"""The MOOD challenge's container convention: scripts, names and numbers."""

import doctest
import importlib.util
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

import skad
from skad import VolumeAnomalyDetector
from skad.calibration import ConformalCalibrator
from skad.datasets import make_phantom
from skad.io import write_map
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer

FOLDER = Path(__file__).parents[1] / "packaging" / "mood"
SIZE = {"shape": (24, 28, 8), "contrasts": ("FLAIR",)}


@pytest.fixture
def predict(capsys):
    """Call the script in this process; gives exit code and standard error."""

    def predict(task, scans, out, model):
        code = _script().main([task, str(scans), str(out), "--model", str(model)])
        return code, capsys.readouterr().err

    return predict


def run(task, scans, out, model):
    """Call the script as the challenge does; gives the exit code."""
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "MODEL": str(model)}
    environment |= {"PYTHONPATH": str(FOLDER.parents[1]), "OMP_NUM_THREADS": "1"}
    command = ["sh", FOLDER / f"run_{task}_brain.sh", scans, out]
    return subprocess.run(command, env=environment).returncode


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A calibrated detector of FLAIR, and its file."""
    normal = make_phantom(7, lesion=None, random_state=0, **SIZE)
    detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=VolumePreprocessor(size=(32, 32)))
    calibrator = ConformalCalibrator(detector.fit(normal[:2]), fpr=0.2).fit(normal[2:])
    path = tmp_path_factory.mktemp("model") / "model.skad"
    skad.save(calibrator, path)
    return calibrator, path


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A normal subject and one with a glioma, named as the challenge names them; and their volumes."""
    folder = tmp_path_factory.mktemp("scans")
    (normal,) = make_phantom(1, lesion=None, random_state=11, **SIZE)
    (ill,) = make_phantom(1, random_state=12, lesion="glioma", **SIZE)
    volumes = {"00001.nii.gz": normal, "00002.nii.gz": ill}
    for name, volume in volumes.items():
        write_map(volume.contrasts["FLAIR"], volume, folder / name, outside="zero")
    return folder, volumes


def test_pixel_scores_rank_as_the_map_does_and_cross_a_half_at_the_threshold(model, scans, tmp_path):
    calibrator, path = model
    assert run("pixel", scans[0], tmp_path, path) == 0
    for name in scans[1]:
        image, scan = nibabel.load(tmp_path / name), nibabel.load(scans[0] / name)
        assert image.shape == scan.shape and np.array_equal(image.affine, scan.affine)
        anomaly = calibrator.detector.score_volume(_read(scans[0] / name)).get_fdata()
        inside, scores = ~np.isnan(anomaly), image.get_fdata()
        assert scores.min() >= 0 and scores.max() <= 1 and (scores[~inside] == 0).all()
        order = np.argsort(anomaly[inside])
        assert (np.diff(scores[inside][order]) >= 0).all()
        np.testing.assert_array_equal(scores[inside] > 0.5, anomaly[inside] > -calibrator.offset_)


def test_sample_scores_are_numbers_in_text_files(predict, model, scans, tmp_path):
    assert predict("sample", scans[0], tmp_path, model[1])[0] == 0
    healthy, ill = (float((tmp_path / f"{name}.txt").read_text()) for name in scans[1])
    assert 0 < healthy < ill < 1


def test_a_damaged_scan_costs_itself_only(predict, model, scans, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.nii.gz").write_bytes(b"\x1f\x8b damaged")
    (folder / "b.nii.gz").write_bytes((scans[0] / "00001.nii.gz").read_bytes())
    code, err = predict("sample", folder, tmp_path / "out", model[1])
    assert code == 1 and "a.nii.gz" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.nii.gz.txt"]


def test_a_model_without_calibration_is_refused(predict, model, scans, tmp_path):
    skad.save(model[0].detector, tmp_path / "plain.skad")
    code, err = predict("pixel", scans[0], tmp_path / "out", tmp_path / "plain.skad")
    assert code == 2 and "not calibrated" in err and err.count("\n") == 1


def test_large_scores_differ_after_rounding_to_half_precision():
    module = _script()
    assert doctest.testmod(module).failed == 0
    scores = module.squash([9.0, 10.0, 17.0, 33.0, 65.0], normal=0.0, threshold=1.0).astype(np.float16)
    assert (np.diff(scores) > 0).all() and scores[-1] < 1  # a logistic function would have rounded all to 1


def _script():
    spec = importlib.util.spec_from_file_location("mood_predict", FOLDER / "predict.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _read(path):
    return skad.io.read_volume({"FLAIR": path})
