"""One scan that does not look like training is told, and one that does is not."""

import numpy as np
import pytest

from skad import VolumeAnomalyDetector, load, save
from skad.calibration import TrainingProfile, UnlikeTrainingWarning, summarize_scan
from skad.io import Volume
from skad.io.regrid import Regridded
from skad.io.sources import InMemory
from skad.preprocessing import VolumePreprocessor
from skad.scoring import IntensityScorer

SHAPE, VOXEL = (17, 18, 19), (2.0, 2.5, 3.0)  # all different, so that no transposition goes unnoticed
BRAIN = np.s_[4:13, 4:13, 5:14]


def volume(seed, *, brain=BRAIN, draw=None, voxel=VOXEL, source=None):
    """A block of noise in an empty field of view, in two contrasts."""
    rng = np.random.default_rng(seed)
    images = {}
    for name in ("T1w", "FLAIR"):
        images[name] = np.zeros(SHAPE, np.float32)
        images[name][brain] = 100 + 10 * rng.normal(size=images[name][brain].shape)
    if draw is not None:
        images["FLAIR"][brain] = draw(rng, images["FLAIR"][brain].shape)
    if source is not None:
        images["FLAIR"] = source(images["FLAIR"])
    return Volume(images, np.diag([*voxel, 1]), subject=f"sub-{seed}")


@pytest.fixture(scope="module")
def detector():
    prepare = VolumePreprocessor(size=(20, 20), voxel_size=None, size_mode="crop")
    scorer = IntensityScorer(contrast=1, smoothing=0)
    return VolumeAnomalyDetector(scorer, preprocessor=prepare).fit([volume(seed) for seed in range(4)])


def differences(detector, scan):
    return detector.profile_.compare(detector.preprocessor_.transform([scan]))


def two_humps(rng, shape):
    """Three in ten voxels are much brighter: the median lies 0.64 standard deviations below the mean."""
    return np.where(rng.random(shape) < 0.3, 3, 0) + 0.3 * rng.normal(size=shape)


def on_another_grid(voxels):
    return Regridded(InMemory(voxels, "FLAIR"), np.eye(4), SHAPE, 3)


def test_a_scan_is_summarized_by_counting_voxels(detector):
    scan = summarize_scan(detector.preprocessor_.transform([volume(0)]))
    assert scan.volume_ml == pytest.approx(9**3 * 2.0 * 2.5 * 3.0 / 1000)
    assert scan.share == pytest.approx(9**3 / np.prod(SHAPE))
    np.testing.assert_allclose(scan.voxel_size, (2.0, 3.0))
    inside = np.sort(volume(0).contrasts["FLAIR"][BRAIN].ravel())
    expected = np.quantile((inside - inside.mean()) / inside.std(), (0.05, 0.25, 0.5, 0.75, 0.9))
    np.testing.assert_allclose(scan.quantiles[1], expected, rtol=1e-4)


def test_another_scan_of_the_same_kind_is_usual(detector):
    assert differences(detector, volume(9)) == []


@pytest.mark.parametrize(
    ("scan", "told"),
    [
        (volume(9, brain=np.s_[1:16, 1:17, 1:18]), "The foreground measures"),
        (volume(9, brain=np.s_[1:16, 1:17, 1:18]), "The foreground fills"),
        (volume(9, voxel=(2.0, 2.0, 5.0)), "Voxels are 2 to 5 mm long"),
        (volume(9, draw=lambda rng, shape: rng.integers(1, 3, shape)), "of FLAIR take few values"),
        (volume(9, draw=two_humps), "The histogram of FLAIR"),
        (volume(9, source=on_another_grid), "FLAIR had to be interpolated"),
    ],
)
def test_what_is_unusual_is_named(detector, scan, told):
    assert any(told in sentence for sentence in differences(detector, scan))


def test_the_scale_of_intensities_is_no_difference(detector):
    assert differences(detector, volume(9, draw=lambda rng, shape: 5000 + 7 * rng.normal(size=shape))) == []


def test_usual_values_reach_four_deviations_or_the_tolerance():
    scans = [summarize_scan(VolumePreprocessor().fit_transform([volume(seed)])) for seed in range(3)]
    alike = TrainingProfile().fit(scans, contrasts=("T1w", "FLAIR"))
    np.testing.assert_allclose(alike.volume_ml_, scans[0].volume_ml * np.array([1 / 1.6, 1.6]))


def test_scoring_warns_with_the_subject_and_loading_keeps_the_profile(detector, tmp_path):
    save(detector, tmp_path / "x.skad")
    loaded = load(tmp_path / "x.skad")
    with pytest.warns(
        UnlikeTrainingWarning, match=r"Subject 'sub-9' differs from the training scans\. Voxels are"
    ):
        loaded.score_volume(volume(9, voxel=(2.0, 2.0, 5.0)))


def test_a_map_is_the_same_with_and_without_a_warning(detector):
    odd = volume(9, voxel=(2.0, 2.0, 5.0))
    with pytest.warns(UnlikeTrainingWarning):
        told = detector.score_volume(odd)
    usual = detector.score_volume(volume(9))
    np.testing.assert_array_equal(told.get_fdata(), usual.get_fdata())
