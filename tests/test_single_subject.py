"""Maps of a patient from the patient's own volume."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from skad import SingleSubjectDetector, VolumeAnomalyDetector
from skad.io import Volume
from skad.metrics import foreground_roc_auc_score
from skad.persistence import load, save
from skad.preprocessing import VolumePreprocessor
from skad.scoring import ConditionalMixtureScorer

SHAPE = (16, 18, 7)  # all different
LESION = np.s_[5:9, 6:10, 2:4]


def _volume(seed, *, names=("T1w", "FLAIR"), scale=1.0, lesion=False):
    """Two tissues; FLAIR is dark where T1 is bright, and bright in the lesion."""
    rng = np.random.default_rng(seed)
    tissue = gaussian_filter(rng.normal(size=SHAPE), 1.5) > 0
    labels = np.zeros(SHAPE, dtype=np.int16)
    labels[LESION] = lesion
    images = {
        "T1w": 100 + 50 * tissue + 5 * rng.normal(size=SHAPE),
        "FLAIR": 100 - 20 * tissue + 60 * labels + 5 * rng.normal(size=SHAPE),
        "T2w": 100 + 5 * rng.normal(size=SHAPE),
    }
    return Volume(
        {name: scale * images[name] for name in names},
        np.eye(4),
        subject=f"sub-{seed:02d}",
        mask=np.ones(SHAPE, bool),
        labels=labels,
    )


def _prepare():
    return VolumePreprocessor(size=(20, 20), voxel_size=1.0)


def _map(detector, volume):
    return detector.score_volume(volume).get_fdata(dtype=np.float32)


def _detector(prevalence_smoothing=0.0, **kwargs):
    scorer = ConditionalMixtureScorer(contrast=1, sign=1, n_components=2, trimmed=0.1, random_state=0)
    return SingleSubjectDetector(
        scorer, preprocessor=_prepare(), prevalence_smoothing=prevalence_smoothing, **kwargs
    )


def test_a_map_is_that_of_a_detector_fitted_to_the_volume_alone():
    patient = _volume(0)
    alone = VolumeAnomalyDetector(_detector().pipeline, preprocessor=_prepare()).fit([patient])
    np.testing.assert_array_equal(_map(_detector().fit([_volume(1), patient]), patient), _map(alone, patient))


@pytest.mark.parametrize("cohort", [None, ConditionalMixtureScorer(contrast=1, random_state=0)])
def test_the_combined_map_is_weighed_by_the_prevalence_of_lesions(cohort):
    patient = _volume(0, lesion=True)
    plain = _map(_detector(cohort=cohort).fit([_volume(1)]), patient)
    weighed = _map(_detector(24.0, cohort=cohort).fit([_volume(1)]), patient)
    change = weighed - plain
    abnormal = patient.labels > 0
    assert change[abnormal].min() > np.nanmedian(change[~abnormal])


def test_a_lesion_is_found_without_any_other_scan():
    patient = _volume(0, lesion=True)
    anomaly = _map(SingleSubjectDetector(preprocessor=_prepare()).fit([patient]), patient)
    assert foreground_roc_auc_score(patient.labels[None], anomaly[None]) > 0.99


def test_units_of_the_scanner_do_not_matter():
    detector = _detector().fit([_volume(0)])
    expected = _map(detector, _volume(0, lesion=True))
    np.testing.assert_allclose(_map(detector, _volume(0, lesion=True, scale=7.0)), expected, rtol=0.01)


def test_with_a_cohort_the_less_abnormal_of_both_counts():
    cohort, patient = [_volume(1), _volume(2)], _volume(0, lesion=True)
    scorer = ConditionalMixtureScorer(contrast=1, sign=1, n_components=2, random_state=0)
    both = _detector(cohort=scorer).fit(cohort)
    of_cohort = VolumeAnomalyDetector(scorer, preprocessor=_prepare()).fit(cohort)
    own = _map(_detector().fit(cohort), patient)
    np.testing.assert_array_equal(_map(both, patient), np.minimum(own, _map(of_cohort, patient)))
    assert both.n_slices_ == of_cohort.n_slices_


def test_the_default_scorer_knows_the_contrasts_by_name():
    detector = SingleSubjectDetector().fit([_volume(0, names=("T2w", "T1w", "FLAIR"))])
    assert (detector.pipeline_.contrast, detector.pipeline_.given) == (2, [1])


def test_a_missing_contrast_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="'sub-03' lacks the contrast 'FLAIR'"):
        _detector().fit([_volume(0)]).score_volume(_volume(3, names=("T1w",)))


def test_a_saved_detector_scores_the_same(tmp_path):
    detector = _detector(cohort=ConditionalMixtureScorer(random_state=0)).fit([_volume(1)])
    save(detector, tmp_path / "single.skad")
    restored = load(tmp_path / "single.skad")
    np.testing.assert_array_equal(_map(restored, _volume(0)), _map(detector, _volume(0)))


@pytest.mark.parametrize(("voxel_size", "told"), [(9.0, False), (11.0, True)])
def test_a_foreground_larger_than_a_brain_is_told(voxel_size, told, recwarn):
    """2016 voxels of 9 mm are 1470 mL, of 11 mm 2683 mL: more than a brain without its skull."""
    small = _volume(0)
    affine = np.diag([voxel_size] * 3 + [1])
    patient = Volume(small.contrasts, affine, subject="head", mask=np.ones(SHAPE, bool))
    prepare = VolumePreprocessor(size=(20, 20), voxel_size=None)
    SingleSubjectDetector(preprocessor=prepare).fit([patient]).score_volume(patient)
    message = "the skull is probably still on in spite of the brain mask"
    assert any(message in str(each.message) for each in recwarn) is told
