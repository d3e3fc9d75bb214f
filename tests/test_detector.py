"""Volumes in, native-space anomaly maps out."""

import nibabel
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from skad.base import ImageEstimatorMixin
from skad.composition import allows_missing_contrast, last_step
from skad.datasets import load_bids, make_phantom
from skad.derivatives import LesionRule
from skad.detector import VolumeAnomalyDetector
from skad.io import Volume
from skad.persistence import load, save
from skad.postprocessing import add_local_prevalence
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ConditionalMixtureReconstructor, ContrastTranslator
from skad.scoring import (
    ConditionalMixtureScorer,
    EnsembleScorer,
    IntensityScorer,
    JointDRGMM,
    ResidualScorer,
)

# blocks of noise with a planted block are unlike blocks of noise without
pytestmark = pytest.mark.filterwarnings("ignore::skad.calibration.UnlikeTrainingWarning")

SHAPE = (9, 11, 7)  # all different
CENTERED = np.array([[2.0, 0, 0, -8], [0, 2, 0, -10], [0, 0, 2, -6], [0, 0, 0, 1]])


class Brightness(ImageEstimatorMixin, BaseEstimator):
    """Scores a pixel by minus its brightness in the first contrast, and remembers what it was fitted on."""

    def fit(self, X, y=None):
        self.X_ = self._check_fit_input(X)
        return self

    def score_samples(self, X):
        return -self._check_score_input(X)[:, 0]


class BrightnessOfWhatIsThere(Brightness):
    _missing_contrast = True

    def score_samples(self, X):
        return -np.fmax.reduce(self._check_score_input(X), axis=1)


def volume(seed=0, names=("T1w", "FLAIR"), affine=CENTERED, labels=None, shape=SHAPE, **kwargs):
    rng = np.random.default_rng(seed)
    images = {name: rng.uniform(1, 2, shape).astype(np.float32) for name in names}
    return Volume(
        images, affine, subject=f"sub-{seed:02d}", mask=np.ones(shape, bool), labels=labels, **kwargs
    )


def detector(pipeline=None, size=(16, 16), **kwargs):
    return VolumeAnomalyDetector(
        pipeline or Brightness(), preprocessor=VolumePreprocessor(size=size, **kwargs)
    )


def adm():
    return make_pipeline(
        ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0),
        JointDRGMM(n_components=2, width=2, max_epochs=1, random_state=0),
    )


def rotated(degrees, axes=(0, 1)):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    matrix = np.eye(4)
    i, j = axes
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = cos, -sin, sin, cos
    return matrix


AFFINES = {
    "plain": CENTERED,
    "flipped": CENTERED @ np.diag([-1, 1, -1, 1]),
    "permuted": CENTERED[:, [2, 0, 1, 3]],
    "permuted and flipped": CENTERED[:, [1, 2, 0, 3]] @ np.diag([1, -1, -1, 1]),
    "oblique": rotated(20) @ rotated(10, (1, 2)) @ CENTERED,
    "anisotropic": CENTERED @ np.diag([1, 0.6, 2.7, 1]),
    "oblique, anisotropic, permuted": rotated(-25, (0, 2))
    @ CENTERED[:, [2, 1, 0, 3]]
    @ np.diag([0.5, 1, 2, 1]),
}


@pytest.mark.parametrize("size_mode", ["resize", "crop"])
@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES.keys())
def test_a_planted_block_comes_back_where_it_was(affine, size_mode):
    bright = volume(1, affine=affine)
    block = np.zeros(SHAPE, dtype=bool)
    block[2:5, 6:9, 1:4] = True
    images = {name: np.where(block, 9, image).astype(np.float32) for name, image in bright.contrasts.items()}
    planted = Volume(images, affine, mask=np.ones(SHAPE, bool))
    image = detector(size_mode=size_mode).fit([volume(0)]).score_volume(planted)
    assert image.shape == SHAPE
    np.testing.assert_array_equal(image.affine, planted.affine)
    anomaly = image.get_fdata()
    assert block[np.unravel_index(np.nanargmax(anomaly), SHAPE)]
    assert np.nanmean(anomaly[block]) > np.nanmax(anomaly[~block]) - 1


def test_without_interpolation_the_map_is_the_score_voxel_by_voxel():
    scored = volume(1)
    image = detector(size=(11, 9), intensity=None, size_mode="crop").fit([volume(0)]).score_volume(scored)
    np.testing.assert_allclose(image.get_fdata(), scored.contrasts["T1w"], rtol=1e-6)


def test_slices_with_a_labeled_pixel_are_not_learned_from():
    labels = np.zeros(SHAPE, dtype=int)
    labels[4, 5, 2] = labels[4, 5, 3] = 1
    fitted = detector(size=(11, 9), intensity=None, size_mode="crop").fit([volume(0, labels=labels)])
    normal = np.delete(volume(0).contrasts["T1w"], [2, 3], axis=2)
    assert fitted.n_slices_ == 5
    assert np.isclose(np.sort(fitted.pipeline_.X_[:, 0].ravel()), np.sort(normal.ravel())).all()


def test_a_volume_without_labels_is_normal_even_beside_one_with_labels():
    labels = np.zeros(SHAPE, dtype=int)
    labels[4, 5, 2] = 1
    fitted = detector().fit([volume(0, labels=labels), volume(1)])
    assert fitted.n_slices_ == 6 + 7


def test_lesions_in_every_slice_are_a_mistake_told():
    with pytest.raises(
        ValueError, match=r"Every slice of the 1 volumes has a labeled pixel: add normal volumes\.$"
    ):
        detector().fit([volume(0, labels=np.ones(SHAPE, int))])


def test_training_slices_may_lie_on_disk(tmp_path):
    volumes = [volume(0), volume(1)]
    in_memory, on_disk = (
        detector(adm()).fit(volumes),
        detector(adm()).fit(volumes, out=tmp_path / "slices.npy"),
    )
    assert np.load(tmp_path / "slices.npy").shape == (14, 2, 16, 16)
    first, second = (d.score_volume(volumes[0]).get_fdata() for d in (in_memory, on_disk))
    np.testing.assert_array_equal(first, second)


def test_contrasts_are_found_by_name_whatever_their_order():
    fitted = detector().fit([volume(0)])
    scored = volume(1)
    turned = Volume(dict(reversed(list(scored.contrasts.items()))), scored.affine, mask=scored.mask)
    np.testing.assert_array_equal(
        fitted.score_volume(turned).get_fdata(), fitted.score_volume(scored).get_fdata()
    )


def test_a_further_contrast_is_ignored():
    fitted = detector().fit([volume(0)])
    more = volume(1, names=("T1w", "FLAIR", "T2w"))
    np.testing.assert_array_equal(
        fitted.score_volume(more).get_fdata(), fitted.score_volume(volume(1)).get_fdata()
    )


def test_a_lacking_contrast_is_named_with_its_subject():
    fitted = detector().fit([volume(0)])
    message = (
        r"Subject 'sub-01' lacks the contrast 'FLAIR'; the detector was fitted on T1w, FLAIR and needs all"
    )
    with pytest.raises(ValueError, match=message):
        fitted.score_volume(volume(1, names=("T1w",)))


@pytest.mark.parametrize("how", ["absent", "all NaN"])
def test_a_missing_contrast_is_done_without_where_the_pipeline_can_and_told(how):
    fitted = detector(BrightnessOfWhatIsThere(), intensity=None).fit([volume(0)])
    scored = volume(1, names=("T1w",))
    if how == "all NaN":
        images = {"T1w": scored.contrasts["T1w"], "FLAIR": np.full(SHAPE, np.nan)}
        scored = Volume(images, scored.affine, mask=scored.mask)
    image = fitted.score_volume(scored)
    assert np.isfinite(image.get_fdata()).all()
    assert b"without FLAIR" in image.header["descrip"].item()


def test_a_missing_contrast_is_no_training_data():
    lacking = Volume(
        {"T1w": volume(1).contrasts["T1w"], "FLAIR": np.full(SHAPE, np.nan)}, CENTERED, subject="sub-01"
    )
    with pytest.raises(ValueError, match="Subject 'sub-01' has no FLAIR, but training needs every contrast"):
        detector(BrightnessOfWhatIsThere()).fit([volume(0), lacking])


def test_labels_are_not_read_while_scoring():
    class Unreadable:
        shape, where = SHAPE, "labels"

        def load(self):
            raise AssertionError("read")

    image = detector().fit([volume(0)]).score_volume(volume(1, labels=Unreadable()))
    assert image.shape == SHAPE


def test_outside_the_mask_an_image_is_nan_and_a_file_what_was_chosen(tmp_path):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[2:7, 2:9, :] = True
    scored = Volume(dict(volume(1).contrasts), CENTERED, mask=mask)
    for outside, expected in (("nan", np.nan), ("zero", 0.0)):
        fitted = detector(outside=outside).fit([volume(0)])
        (record,) = fitted.score_cohort([scored], out=tmp_path / outside)
        for voxels, value in (
            (fitted.score_volume(scored).get_fdata(), np.nan),
            (record.image.load(), expected),
        ):
            np.testing.assert_array_equal(np.unique(voxels[~mask]), [value])
            assert np.isfinite(voxels[mask]).all()


def test_many_volumes_come_in_order_with_the_maps_of_each():
    volumes = [volume(seed) for seed in (1, 2, 3)]
    fitted = detector(adm()).fit([volume(0)])
    for (scored, image), expected in zip(fitted.score_volumes(volumes), volumes, strict=True):
        assert scored is expected
        np.testing.assert_array_equal(image.get_fdata(), fitted.score_volume(scored).get_fdata())


def test_a_bad_volume_among_many_gives_its_error_in_place_of_a_map():
    fitted = detector().fit([volume(0)])
    volumes = [volume(1), volume(2, names=("T1w",)), volume(3)]
    results = [image for _, image in fitted.score_volumes(volumes, on_error="yield")]
    assert [isinstance(image, nibabel.Nifti1Image) for image in results] == [True, False, True]
    assert "sub-02" in str(results[1])
    with pytest.raises(ValueError, match="sub-02"):
        list(fitted.score_volumes(volumes))


def test_a_saved_detector_scores_bit_for_bit_as_before(tmp_path):
    fitted = detector(adm(), intensity="whitematter").fit([volume(0), volume(1)])
    save(fitted, tmp_path / "adm.skad")
    first, second = (d.score_volume(volume(2)).get_fdata() for d in (fitted, load(tmp_path / "adm.skad")))
    np.testing.assert_array_equal(first, second)


def test_a_fitted_pipeline_is_kept_when_frozen():
    X = VolumePreprocessor(size=(16, 16)).fit_transform([volume(0)]).X
    pipeline = adm().fit(X)
    frozen = detector(FrozenEstimator(pipeline)).fit([volume(5)])
    fitted = detector(adm()).fit([volume(0)])
    first, second = (d.score_volume(volume(2)).get_fdata() for d in (frozen, fitted))
    np.testing.assert_array_equal(first, second)


def test_fit_changes_neither_parameters_nor_the_given_estimators():
    unfitted = detector(adm())
    before = repr(clone(unfitted))
    unfitted.fit([volume(0)])
    assert repr(clone(unfitted)) == before
    for given in (unfitted.pipeline.steps[0][1], unfitted.preprocessor):
        with pytest.raises(NotFittedError):
            check_is_fitted(given)


def test_an_unfitted_detector_says_so():
    with pytest.raises(NotFittedError):
        detector().score_volume(volume(0))


@pytest.mark.parametrize("wrong", [volume(0), [], [np.ones(SHAPE)]], ids=["one volume", "none", "an array"])
def test_fit_wants_a_list_of_volumes(wrong):
    with pytest.raises(ValueError, match="volumes should"):
        detector().fit(wrong)


def test_score_volume_wants_a_volume():
    with pytest.raises(ValueError, match=r"volume should be a skad\.io\.Volume, got ndarray"):
        detector().fit([volume(0)]).score_volume(np.ones(SHAPE))


def test_a_pipeline_can_do_without_a_contrast_when_every_step_can():
    assert allows_missing_contrast(adm())
    assert allows_missing_contrast(FrozenEstimator(adm()))
    assert not allows_missing_contrast(make_pipeline(ContrastTranslator(), Brightness()))


@pytest.mark.filterwarnings("ignore::skad.io.GeometryWarning")  # four grids
def test_a_real_patient_comes_back_on_the_scanners_grid(real_data):
    contrasts = ("T1w", "FLAIR", "ce-gadolinium_T1w")
    train = load_bids(real_data / "glioma", contrasts=contrasts, subjects=["CS4941", "CS4942"])
    fitted = detector(adm(), size=(64, 64)).fit(train)
    clinical = load_bids(real_data / "clinical", contrasts=contrasts)[0]
    image = fitted.score_volume(clinical)
    assert image.shape == clinical.shape
    np.testing.assert_array_equal(image.affine, clinical.affine)
    assert np.isfinite(image.get_fdata()).mean() > 0.1


def test_the_reference_is_what_the_reconstructor_makes_on_the_grid_of_the_volume():
    volumes = make_phantom(n_subjects=2, shape=(20, 24, 8), contrasts=["T1w", "FLAIR"], random_state=0)
    pipeline = make_pipeline(ConditionalMixtureReconstructor(random_state=0), ResidualScorer())
    detector = VolumeAnomalyDetector(pipeline, preprocessor=VolumePreprocessor(size=(24, 24))).fit(volumes)
    reference = detector.reference_of(volumes[0])
    stack = detector.preprocessor_.transform(volumes[:1])
    expected = detector.pipeline_[0].reconstruct(stack.X)
    (image,) = detector.preprocessor_.inverse_transform(expected[:, 1], stack, outside="nan")
    np.testing.assert_array_equal(reference["FLAIR"], image.get_fdata().astype("f4"))
    assert list(reference) == ["T1w", "FLAIR"]


def test_a_pipeline_without_a_reconstructor_has_no_reference():
    volumes = make_phantom(n_subjects=2, shape=(20, 24, 8), contrasts=["T1w"], random_state=0)
    detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=VolumePreprocessor(size=(24, 24)))
    with pytest.raises(ValueError, match="makes no reference: put a reconstructor before it"):
        detector.fit(volumes).reference_of(volumes[0])


def test_a_detector_of_scikit_learn_is_sent_to_its_scorer():
    with pytest.raises(ValueError, match=r"wrap it in skad\.scoring\.SklearnScorer"):
        detector(make_pipeline(GaussianMixture())).fit([volume(0)])


class SeesNeighbors(Brightness):
    """Scores a slice by minus the brightness of the one above."""

    _accepts = "series"

    def score_samples(self, X):
        return -self._check_score_input(X)[:, 2, 0]


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_pipeline_that_takes_neighbors_is_given_them(on_disk, tmp_path):
    labels = np.zeros(SHAPE, np.int16)
    labels[4, 5, 3] = 1
    volumes = [volume(0), volume(1, labels=labels)]
    fitted = detector(SeesNeighbors()).set_params(context=2.0)
    fitted.fit(volumes, out=tmp_path / "slices.npy" if on_disk else None)
    stack = fitted.preprocessor_.transform(volumes)
    normal = ~stack.y.any(axis=(1, 2)) if stack.y is not None else np.arange(len(stack)) != 7 + 3
    np.testing.assert_array_equal(fitted.pipeline_.X_, stack.with_neighbors(2.0)[normal])
    one = fitted.preprocessor_.transform(volumes[:1])
    (expected,) = fitted.preprocessor_.inverse_transform(one.with_neighbors(2.0)[:, 2, 0], one)
    np.testing.assert_array_equal(fitted.anomaly_of(volumes[0]), expected.get_fdata(dtype=np.float32))


@pytest.mark.parametrize(
    ("framing", "pixel_size"),
    [({"size_mode": "resize"}, 22 / 16), ({"voxel_size": (1.0, 1.5, 2.0), "size": (24, 24)}, (1.5, 1.0))],
)
def test_the_prevalence_of_lesions_is_estimated_in_millimeters(framing, pixel_size):
    scan = volume(1)
    fitted = detector(**framing).fit([volume(0)])
    stack = fitted.preprocessor_.transform([scan])
    pixel_size = tuple(np.broadcast_to(pixel_size, 2))
    raised = add_local_prevalence(stack.X[:, 0], stack.positions, pixel_size, 5.0)
    (expected,) = fitted.preprocessor_.inverse_transform(raised, stack, outside="nan")
    plain = fitted.anomaly_of(scan)
    weighed = fitted.set_params(prevalence_smoothing=5.0).anomaly_of(scan)
    np.testing.assert_array_equal(weighed, expected.get_fdata(dtype=np.float32))
    assert np.nanmax(np.abs(weighed - plain)) > 0.05


TAIL = ConditionalMixtureScorer(contrast=1, contamination=0.05, random_state=0)
REFERENCE = ConditionalMixtureReconstructor(random_state=0)


@pytest.mark.parametrize(
    "pipeline",
    [TAIL, make_pipeline(TAIL), make_pipeline(REFERENCE, ResidualScorer(contamination=0.05))],
    ids=["scorer", "one step", "two steps"],
)
def test_weighed_scores_have_a_threshold_of_their_own(pipeline):
    scans = [volume(0), volume(1)]
    fitted = detector(pipeline).set_params(prevalence_smoothing=5.0).fit(scans)
    stack = fitted.preprocessor_.transform(scans)
    anomaly = -fitted.pipeline_.score_samples(stack.X)
    weighed = [add_local_prevalence(each[None], [0.0], (22 / 16, 22 / 16), 5.0) for each in anomaly]
    above = np.concatenate(weighed) > -fitted.offset_
    assert above.sum() / np.isfinite(anomaly).sum() == pytest.approx(0.05, abs=0.002)
    assert LesionRule.of(fitted).threshold == -fitted.offset_ != -last_step(fitted.pipeline_).offset_
    plain = fitted.set_params(prevalence_smoothing=0.0).fit(scans)
    assert LesionRule.of(plain).threshold == -last_step(plain.pipeline_).offset_


def test_without_prevalence_the_threshold_is_that_of_the_pipeline():
    fitted = detector(IntensityScorer()).fit([volume()])
    assert not hasattr(fitted, "offset_")
    assert LesionRule.of(fitted).threshold == -fitted.pipeline_.offset_


@pytest.mark.parametrize("scorer", [ResidualScorer(), JointDRGMM(n_components=2, width=2, max_epochs=1)])
def test_a_translator_is_given_neighbors(scorer, tmp_path):
    translator = ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0)
    fitted = detector(make_pipeline(translator, scorer)).set_params(context=2.0).fit([volume(0)])
    scan = volume(1)
    stack = fitted.preprocessor_.transform([scan])
    pairs = clone(translator).fit(_normal_series(fitted)).transform(stack.with_neighbors(2.0))
    (expected,) = fitted.preprocessor_.inverse_transform(pairs[:, 1, 0], stack, outside="nan")
    np.testing.assert_array_equal(fitted.reference_of(scan)["T1w"], expected.get_fdata(dtype=np.float32))
    anomaly = -fitted.pipeline_[1].score_samples(pairs)
    (expected,) = fitted.preprocessor_.inverse_transform(anomaly, stack, outside="nan")
    np.testing.assert_array_equal(fitted.anomaly_of(scan), expected.get_fdata(dtype=np.float32))
    save(fitted, tmp_path / "detector.skad")
    loaded = load(tmp_path / "detector.skad")
    np.testing.assert_array_equal(loaded.anomaly_of(scan), fitted.anomaly_of(scan))


def _normal_series(fitted):
    return fitted.preprocessor_.transform([volume(0)]).with_neighbors(2.0)


def test_with_neighbors_a_contrast_may_be_missing_and_a_slice_alone():
    fitted = detector(adm()).set_params(context=2.0).fit([volume(0)])
    assert np.isfinite(fitted.anomaly_of(volume(1, names=("T1w",)))).all()
    alone = volume(1, shape=(9, 11, 1))
    stack = fitted.preprocessor_.transform([alone])
    (expected,) = fitted.preprocessor_.inverse_transform(-fitted.pipeline_.score_samples(stack.X), stack)
    np.testing.assert_array_equal(fitted.anomaly_of(alone), expected.get_fdata(dtype=np.float32))


def test_in_an_ensemble_a_pipeline_with_a_translator_is_given_neighbors():
    pipeline = make_pipeline(
        ContrastTranslator(width=2, n_blocks=0, max_epochs=1, random_state=0), ResidualScorer()
    )
    members = [("intensity", IntensityScorer()), ("translation", pipeline)]
    fitted = detector(EnsembleScorer(members)).set_params(context=2.0).fit([volume(0)])
    assert fitted.pipeline_.scorers_[1][0].module_.neighbors


def test_a_pipeline_that_takes_no_neighbors_refuses_them():
    with pytest.raises(ValueError, match="alone or in an ensemble; other detectors need context=None"):
        detector(IntensityScorer()).set_params(context=2.0).fit([volume()])
