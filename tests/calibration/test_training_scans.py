"""A detector is not calibrated on scans that it has learned from."""

import numpy as np
import pytest

from skad import VolumeAnomalyDetector, load, save
from skad.calibration import ConformalCalibrator, TrainingScans
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer

SHAPE = (7, 8, 9)


def volume(seed, *, name=None, affine=None, **kwargs):
    image = np.random.default_rng(seed).uniform(1, 2, SHAPE).astype(np.float32)
    affine = np.eye(4) if affine is None else affine
    return Volume({"T1w": image}, affine, subject=name or f"sub-{seed}", mask=np.ones(SHAPE, bool), **kwargs)


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    prepare = VolumePreprocessor(size=(16, 16))
    fitted = VolumeAnomalyDetector(IntensityScorer(smoothing=0), preprocessor=prepare)
    path = tmp_path_factory.mktemp("model") / "x.skad"
    save(fitted.fit([volume(0), volume(1)]), path)
    return load(path)


def test_all_training_subjects_are_named_at_once_with_what_is_left(detector):
    scans = [volume(1, name="renamed"), *map(volume, (2, 3, 4)), volume(0)]
    message = (
        r"^Subjects 'renamed', 'sub-0' have been used to train .* leave them out; "
        r"the 3 subjects left promise an fpr of 0\.25 or more\.$"
    )
    with pytest.raises(ValueError, match=message):
        ConformalCalibrator(detector, fpr=0.2).fit(scans)


def test_other_subjects_calibrate(detector):
    assert ConformalCalibrator(detector, fpr=0.25).fit([volume(seed) for seed in (2, 3, 4)]).n_patients_ == 3


def test_a_header_hides_no_training_scan(detector):
    assert detector.training_scans_.holds(volume(0, affine=np.diag([2.0, 2.0, 2.0, 1.0])))


def test_a_detector_of_an_earlier_version_calibrates(detector, tmp_path):
    save(detector, tmp_path / "x.skad")
    old = load(tmp_path / "x.skad")
    del old.training_scans_, old.profile_
    assert ConformalCalibrator(old, fpr=0.5).fit([volume(0)]).n_patients_ == 1


def test_detectors_that_share_a_patient_share_no_digest():
    first, second = TrainingScans().fit([volume(0), volume(1)]), TrainingScans().fit([volume(0), volume(2)])
    shared = {row.tobytes() for row in first.digests_} & {row.tobytes() for row in second.digests_}
    assert first.holds(volume(0)) and second.holds(volume(0)) and not shared


def test_the_order_of_training_scans_does_not_matter():
    first, second = TrainingScans().fit([volume(0), volume(1)]), TrainingScans().fit([volume(1), volume(0)])
    assert first.salt_ == second.salt_
    np.testing.assert_array_equal(first.digests_, second.digests_)


def test_all_subjects_with_a_lesion_are_named_at_once(detector):
    labels = np.ones(SHAPE, int)
    scans = [volume(2), volume(3, labels=labels), volume(4, labels=labels)]
    with pytest.raises(ValueError, match=r"Subjects 'sub-3', 'sub-4' have a labeled lesion"):
        ConformalCalibrator(detector, fpr=0.5).fit(scans)
