"""The file of a detector, calibrated or not."""

import hashlib
from copy import copy

import pytest
from sklearn.mixture import GaussianMixture

from skad import VolumeAnomalyDetector, save
from skad.calibration import ConformalCalibrator
from skad.composition import fitted_steps
from skad.datasets import make_phantom
from skad.detector_file import describe_file, load_detector
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer


@pytest.fixture(scope="module")
def volumes():
    return make_phantom(n_subjects=5, shape=(24, 28, 8), lesion=None, random_state=0)


@pytest.fixture(scope="module")
def detector(volumes):
    preprocessor = VolumePreprocessor(size=(28, 32))
    return VolumeAnomalyDetector(IntensityScorer(), preprocessor=preprocessor).fit(volumes[:2])


def test_a_detector_comes_with_its_calibrator_or_with_none(detector, volumes, tmp_path):
    save(detector, tmp_path / "a.skad")
    save(ConformalCalibrator(detector, fpr=0.4).fit(volumes[2:]), tmp_path / "c.skad")
    plain, nothing = load_detector(tmp_path / "a.skad")
    inside, calibrator = load_detector(tmp_path / "c.skad")
    assert nothing is None and calibrator.detector is inside
    assert plain.contrasts_ == inside.contrasts_ == detector.contrasts_


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: GaussianMixture(), "holds a GaussianMixture, which scores slices"),
        (lambda: VolumeAnomalyDetector(IntensityScorer()), "a detector that is not fitted"),
    ],
)
def test_what_is_no_fitted_detector_is_refused(made, message, tmp_path):
    save(made(), tmp_path / "x.skad")
    with pytest.raises(ValueError, match=message):
        load_detector(tmp_path / "x.skad")


def test_the_description_tells_what_the_file_is(detector, tmp_path):
    path = tmp_path / "a.skad"
    save(detector, path)
    facts = describe_file(path)
    assert facts["SHA-256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["slices without a lesion"] == str(detector.n_slices_)
    assert float(facts["threshold"]) == pytest.approx(-detector.pipeline_.offset_, rel=1e-3)
    assert facts["origin"] == "the detector's own, which guarantees no false-positive rate"


def test_the_description_tells_how_slices_meet_their_neighbors(detector, tmp_path):
    path = tmp_path / "detector.skad"
    save(detector, path)
    assert "neighboring slices" not in describe_file(path)
    save(copy(detector).set_params(context=5.0, slice_smoothing=1.0, prevalence_smoothing=24.0), path)
    facts = describe_file(path)
    assert facts["neighboring slices"] == "about 5 mm below and above"
    assert facts["smoothing across slices"] == "1 mm"
    assert facts["prevalence of lesions"] == "estimated within 24 mm"


def test_the_steps_begin_with_the_preprocessor(detector):
    assert [type(step).__name__ for step in fitted_steps(detector).values()] == [
        "VolumePreprocessor",
        "IntensityScorer",
    ]
