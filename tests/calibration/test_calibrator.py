"""ConformalCalibrator around slices and around volumes."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import skad
from skad import VolumeAnomalyDetector
from skad.calibration import ConformalCalibrator, DriftWarning
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator
from skad.scoring import IntensityScorer, ResidualScorer

# blocks of noise with a planted block are unlike blocks of noise without
pytestmark = pytest.mark.filterwarnings("ignore::skad.calibration.UnlikeTrainingWarning")

SHAPE = (9, 11, 7)  # all different
CENTERED = np.array([[2.0, 0, 0, -8], [0, 2, 0, -10], [0, 0, 2, -6], [0, 0, 0, 1]])


class Brightness(BaseEstimator):
    """Bright pixels of the first contrast are abnormal; nothing to learn."""

    def fit(self, X, y=None):
        return self

    def score_samples(self, X):
        return -X[:, 0]

    def __sklearn_is_fitted__(self):
        return True


def cohort(n_patients, seed=0, n_slices=3, n_contrasts=2):
    """Slices with a background column and, patient by patient, a level of their own."""
    rng = np.random.default_rng(seed)
    shape = (n_patients * n_slices, n_contrasts, 5, 7)
    groups = np.repeat(np.arange(n_patients), n_slices)
    X = rng.normal(size=shape) + rng.normal(size=n_patients)[groups, None, None, None]
    X[..., 0] = np.nan
    return X.astype(np.float32), groups


@pytest.mark.parametrize("unit", ["patient", "volume"])
def test_patient_masks_are_above_the_quantile_of_patients_maxima(unit):
    X, groups = cohort(19)
    calibrator = ConformalCalibrator(Brightness(), fpr=0.1, unit=unit).fit(X, groups=groups)
    maxima = np.sort([np.nanmax(X[groups == patient, 0]) for patient in range(19)])
    new, _ = cohort(30, seed=1)
    quantile = maxima[17]  # ceil(20 * 0.9) = 18
    expected = np.where(np.isnan(new[:, 0]), 0, np.where(new[:, 0] > quantile, -1, 1))
    labels = calibrator.predict(new)
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int8 and {-1, 0, 1} == set(labels.ravel())
    assert calibrator.offset_ == -quantile


def test_pixel_masks_meet_the_risk_that_is_controlled_and_no_smaller_threshold_does():
    X, groups = cohort(19)
    calibrator = ConformalCalibrator(Brightness(), fpr=0.1).fit(X, groups=groups)

    def risk(threshold):
        shares = [np.nanmean(np.where(np.isnan(p), np.nan, p >= threshold)) for p in np.split(X[:, 0], 19)]
        return 19 / 20 * np.mean(shares) + 1 / 20

    scores = np.unique(X[:, 0][~np.isnan(X[:, 0])])
    smallest = min(score for score in scores if risk(score) <= 0.1)  # brute force
    np.testing.assert_array_equal(calibrator.predict(X) == -1, X[:, 0] >= smallest)


@pytest.mark.parametrize("unit", ["pixel", "patient"])
def test_masks_are_where_p_values_are_at_most_the_rate(unit):
    X, groups = cohort(40)
    calibrator = ConformalCalibrator(Brightness(), unit=unit, fpr=0.1).fit(X, groups=groups)
    new, _ = cohort(20, seed=3)
    p_values = calibrator.p_value_map(new)
    assert p_values.dtype == np.float32 and np.nanmin(p_values) >= np.float32(1 / 41)
    np.testing.assert_array_equal(np.isnan(p_values), np.isnan(new[:, 0]))
    for fpr in (0.05, 0.1, 0.3, 0.7):
        abnormal = calibrator.set_params(fpr=fpr).predict(new) == -1
        assert abnormal.any()
        np.testing.assert_array_equal(abnormal, p_values <= np.float32(fpr) * (1 + 1e-6))


def test_new_patients_get_the_rates_that_are_promised():
    hits, shares = [], []
    for seed in range(300):
        X, groups = cohort(20, seed=seed)
        normal, new = groups > 0, X[groups == 0]
        for unit, results in (("patient", hits), ("pixel", shares)):
            calibrator = ConformalCalibrator(Brightness(), fpr=0.1, unit=unit)
            labels = calibrator.fit(X[normal], groups=groups[normal]).predict(new)
            abnormal = (labels == -1)[labels != 0]
            results.append(abnormal.any() if unit == "patient" else abnormal.mean())
    for results in (hits, shares):
        assert 0.02 < np.mean(results) <= 0.1 + 3 * np.std(results) / np.sqrt(len(results))


def test_slices_of_a_patient_need_not_be_neighbors():
    X, groups = cohort(12)
    order = np.random.default_rng(0).permutation(len(X))
    first, second = (
        ConformalCalibrator(Brightness(), fpr=0.2).fit(X[rows], groups=groups[rows])
        for rows in (slice(None), order)
    )
    np.testing.assert_array_equal(first.thresholds_, second.thresholds_)
    np.testing.assert_allclose(first.p_values_, second.p_values_, rtol=1e-12)


def test_too_few_patients_are_refused_however_many_slices():
    X, groups = cohort(9, n_slices=20)
    with pytest.raises(
        ValueError, match=r"fpr=0.05 needs at least 19 normal patients .* got 9: .* at least 0.1\.$"
    ):
        ConformalCalibrator(Brightness(), fpr=0.05).fit(X, groups=groups)
    calibrator = ConformalCalibrator(Brightness(), fpr=0.1).fit(X, groups=groups)
    with pytest.raises(ValueError, match="needs at least 19"):
        calibrator.set_params(fpr=0.05).predict(X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fpr": 0}, "'fpr' parameter"),
        ({"fpr": 1.0}, "'fpr' parameter"),
        ({"unit": "voxel"}, "'unit' parameter"),
        ({"detector": "adm"}, "'detector' parameter"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(change, message):
    X, groups = cohort(20)
    with pytest.raises(ValueError, match=message):
        ConformalCalibrator(Brightness()).set_params(**change).fit(X, groups=groups)


def test_patients_have_to_be_named_and_to_have_foreground():
    X, groups = cohort(20)
    calibrator = ConformalCalibrator(Brightness(), fpr=0.2)
    with pytest.raises(ValueError, match="groups should name the patient of each slice, got None"):
        calibrator.fit(X)
    with pytest.raises(ValueError, match=r"groups should have shape \(60,\)"):
        calibrator.fit(X, groups=groups[:-1])
    X[groups == 3] = np.nan
    with pytest.raises(ValueError, match="Patient 3 has no foreground"):
        calibrator.fit(X, groups=groups)


def test_an_unfitted_detector_or_calibrator_is_told():
    X, groups = cohort(20)
    with pytest.raises(NotFittedError, match="IntensityScorer"):
        ConformalCalibrator(IntensityScorer(), fpr=0.2).fit(X, groups=groups)
    with pytest.raises(NotFittedError, match="ConformalCalibrator"):
        ConformalCalibrator(Brightness()).predict(X)


def test_rescaled_intensities_and_swapped_contrasts_raise_the_warning_and_a_control_does_not():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 3)
    tissue = rng.uniform(size=(120, 1, 12, 10)) + 0.05 * rng.normal(size=40)[groups, None, None, None]
    X = np.concatenate([tissue, 2 - tissue], axis=1) + 0.1 * rng.normal(size=(120, 2, 12, 10))
    X = X.astype(np.float32)
    learned, normal, new = groups < 4, (groups >= 4) & (groups < 34), groups >= 34
    pipeline = make_pipeline(
        ContrastTranslator(width=4, n_blocks=0, max_epochs=30, random_state=0), ResidualScorer()
    ).fit(X[learned])
    calibrator = ConformalCalibrator(pipeline, fpr=0.05).fit(X[normal], groups=groups[normal])
    assert calibrator.check_drift(X[new], groups=groups[new]) > 0.05
    for shifted in (1.5 * X[new], X[new][:, ::-1]):
        with pytest.warns(DriftWarning, match=r"6 patients do not look like .* 30 patients of calibration"):
            calibrator.check_drift(shifted, groups=groups[new])
    with pytest.warns(DriftWarning, match="1 patients"):
        calibrator.check_drift(1.5 * X[new][:3])


def brain(seed, n_contrasts=2, lesion=0.0, **kwargs):
    rng = np.random.default_rng(seed)
    images = {f"c{i}": rng.uniform(1, 2, SHAPE).astype(np.float32) for i in range(n_contrasts)}
    images["c0"][4, 5, 3] += lesion
    return Volume(images, CENTERED, subject=f"sub-{seed:02d}", mask=np.ones(SHAPE, bool), **kwargs)


@pytest.fixture(params=["nan", "zero"])
def volume_detector(request):
    preprocessor = VolumePreprocessor(size=(16, 16), outside=request.param)
    return VolumeAnomalyDetector(IntensityScorer(smoothing=0), preprocessor=preprocessor).fit(
        [brain(100), brain(101)]
    )


def test_volumes_are_calibrated_on_their_own_grid(volume_detector):
    normal = [brain(seed) for seed in range(9)]
    calibrator = ConformalCalibrator(volume_detector, fpr=0.1, unit="patient").fit(normal)
    maxima = [np.nanmax(volume_detector.score_volume(volume).get_fdata()) for volume in normal]
    assert -calibrator.offset_ == pytest.approx(max(maxima), rel=1e-6)
    sick, healthy = brain(50, lesion=30.0), normal[0]
    labels = calibrator.predict([sick, healthy])
    assert [each.shape for each in labels] == [SHAPE, SHAPE]
    assert labels[0][4, 5, 3] == -1 and (labels[1] != -1).all()
    p_values = calibrator.p_value_map([sick])[0]
    assert p_values[4, 5, 3] == np.float32(0.1)


def test_two_sessions_of_a_subject_are_one_patient(volume_detector):
    normal = [brain(seed) for seed in range(9)]
    again = [brain(seed) for seed in range(20, 29)]
    for volume, first in zip(again, normal, strict=True):
        volume.subject = first.subject
    calibrator = ConformalCalibrator(volume_detector, fpr=0.1)
    assert calibrator.fit(normal + again).n_patients_ == 9
    with pytest.raises(ValueError, match="got 9"):
        calibrator.set_params(fpr=0.06).fit(normal + again)


def test_a_volume_with_a_lesion_is_no_calibration(volume_detector):
    labels = np.zeros(SHAPE, dtype=int)
    healthy = [brain(seed, labels=labels) for seed in range(8)]
    sick = brain(8, labels=labels + 1)
    calibrator = ConformalCalibrator(volume_detector, fpr=0.2).fit(healthy)
    with pytest.raises(ValueError, match="'sub-08' has a labeled lesion"):
        calibrator.fit([*healthy, sick])
    with pytest.raises(ValueError, match="list of at least one Volume"):
        calibrator.fit(sick)


def test_drift_of_volumes_is_told_by_subject(volume_detector):
    normal = [brain(seed) for seed in range(25)]
    calibrator = ConformalCalibrator(volume_detector, fpr=0.1).fit(normal)
    assert calibrator.check_drift([brain(seed) for seed in range(30, 36)]) > 0.05
    skewed = brain(60)
    bright = {name: image**4 for name, image in skewed.contrasts.items()}
    with pytest.warns(DriftWarning):
        calibrator.check_drift([Volume(bright, CENTERED, subject="new", mask=np.ones(SHAPE, bool))])


@pytest.mark.parametrize("frozen", [False, True])
def test_a_calibrator_is_saved_with_its_detector(frozen, tmp_path):
    X, groups = cohort(12)
    detector = IntensityScorer(smoothing=0).fit(X)
    detector = FrozenEstimator(detector) if frozen else detector
    calibrator = ConformalCalibrator(detector, fpr=0.1).fit(X, groups=groups)
    skad.save(calibrator, tmp_path / "calibrated.skad")
    loaded = skad.load(tmp_path / "calibrated.skad")
    np.testing.assert_array_equal(loaded.predict(X), calibrator.predict(X))
    np.testing.assert_array_equal(loaded.p_value_map(X), calibrator.p_value_map(X))
    assert loaded.check_drift(X, groups=groups) == calibrator.check_drift(X, groups=groups)


def test_a_calibrator_of_volumes_is_saved_with_its_detector(volume_detector, tmp_path):
    calibrator = ConformalCalibrator(volume_detector, fpr=0.2).fit([brain(seed) for seed in range(5)])
    skad.save(calibrator, tmp_path / "calibrated.skad")
    loaded = skad.load(tmp_path / "calibrated.skad")
    np.testing.assert_array_equal(loaded.predict([brain(7)])[0], calibrator.predict([brain(7)])[0])
