"""The walk of the README, with small networks: the public interface in one piece."""

import numpy as np
import pytest
from nilearn.image import load_img as load_image
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

import skad
from skad import VolumeAnomalyDetector
from skad.datasets import load_bids, make_phantom, write_bids
from skad.metrics import foreground_average_precision, foreground_roc_auc_score
from skad.model_selection import NormalTrainSplit
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator, IntroVAEReconstructor, LatentSearchTransformer
from skad.scoring import IntensityScorer, JointDRGMM, PatchEmbeddingScorer


@pytest.fixture(scope="module")
def volumes():
    return make_phantom(n_subjects=4, lesion="glioma", shape=(40, 48, 10), random_state=0)


@pytest.fixture(scope="module")
def prepare():
    return VolumePreprocessor(voxel_size=None, size=(48, 40), intensity="zscore")


@pytest.fixture(scope="module")
def stack(prepare, volumes):
    return prepare.fit_transform(volumes)


@pytest.fixture(scope="module")
def adm(stack):
    normal = ~stack.y.any(axis=(1, 2))
    pipeline = make_pipeline(
        ContrastTranslator(width=4, n_blocks=1, max_epochs=2, random_state=0),
        JointDRGMM(width=4, max_epochs=2, random_state=0),
    )
    return pipeline.fit(stack.X[normal])


def test_slices_have_nan_background_and_patients(stack):
    assert stack.X.dtype == np.float32
    assert stack.X.shape == (len(stack.y), 3, 48, 40)
    assert np.isnan(stack.X).any()
    assert len(np.unique(stack.groups)) == 4


def test_maps_come_back_in_the_subjects_own_space(adm, stack, prepare, volumes):
    anomaly = -adm.score_samples(stack.X)
    assert anomaly.shape == stack.y.shape
    assert 0 <= foreground_roc_auc_score(stack.y, anomaly) <= 1
    maps = prepare.inverse_transform(anomaly, stack)
    assert [m.shape for m in maps] == [v.shape for v in volumes]
    np.testing.assert_array_equal(maps[0].affine, volumes[0].affine)


def test_a_grid_search_runs_over_references_and_scorers(stack):
    search = GridSearchCV(
        Pipeline(
            [
                ("reference", ContrastTranslator(width=2, n_blocks=0, max_epochs=1)),
                ("score", JointDRGMM()),
            ]
        ),
        {
            "score": [
                JointDRGMM(width=2, max_epochs=1),
                PatchEmbeddingScorer(channels=(2, 4), patch_size=12, max_epochs=1),
            ]
        },
        scoring=foreground_average_precision,
        cv=NormalTrainSplit(n_splits=2),
        refit=False,
        error_score="raise",
    ).fit(stack.X, stack.y, groups=stack.groups)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_second_system_is_as_real_as_the_first(stack):
    normal = ~stack.y.any(axis=(1, 2))
    introvae = IntroVAEReconstructor(channels=(2, 4), latent_channels=2, max_epochs=1, random_state=0)
    kobayashi = make_pipeline(
        LatentSearchTransformer(introvae, n_steps=2),
        PatchEmbeddingScorer(channels=(2, 4), patch_size=12, max_epochs=1, random_state=0),
    ).fit(stack.X[normal])
    anomaly = -kobayashi.score_samples(stack.X)
    assert np.array_equal(np.isnan(anomaly), np.isnan(stack.X[:, 0]))
    assert 0 <= foreground_roc_auc_score(stack.y, anomaly) <= 1


def test_a_detector_takes_volumes_and_survives_the_disk(adm, prepare, volumes, tmp_path):
    detector = VolumeAnomalyDetector(adm, preprocessor=prepare).fit(volumes)
    skad.save(detector, tmp_path / "adm.skad")
    before = detector.score_volume(volumes[0])
    after = skad.load(tmp_path / "adm.skad").score_volume(volumes[0])
    after.to_filename(tmp_path / "sub-01_anomaly.nii.gz")
    on_disk = load_image(tmp_path / "sub-01_anomaly.nii.gz")
    np.testing.assert_array_equal(before.get_fdata(), on_disk.get_fdata())
    np.testing.assert_array_equal(on_disk.affine, volumes[0].affine)


def test_a_cohort_is_scored_evaluated_and_reported_without_the_command_line(prepare, volumes, tmp_path):
    write_bids(volumes, tmp_path / "study", name="phantoms")
    volumes = load_bids(tmp_path / "study")
    detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=prepare).fit(volumes)
    made = detector.score_cohort(volumes, out=tmp_path / "maps", n_jobs=2)
    maps = skad.derivatives.Derivative(tmp_path / "maps")
    assert [(record.subject, record.peak) for record in maps] == [(r.subject, r.peak) for r in made]
    expected = []
    for record, volume in zip(maps, volumes, strict=True):
        assert record.lesions and not record.warnings
        anomaly = detector.anomaly_of(volume)
        assert record.peak == np.nanmax(anomaly)
        expected.append(foreground_roc_auc_score(volume.labels, anomaly))

    table = skad.evaluation.evaluate(maps, volumes)
    assert [row["roc_auc"] for row in table.rows if row["label"] == "any"] == pytest.approx(expected)

    assert skad.report.write_report(maps, volumes, tmp_path / "report.html", evaluation=table) == {}
    page = (tmp_path / "report.html").read_text()
    assert all(volume.subject in page for volume in volumes)
