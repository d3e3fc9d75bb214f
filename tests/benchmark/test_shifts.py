"""Cohorts as another scanner would have shown them."""

import numpy as np
import pytest

from skad.benchmark import loaders
from skad.benchmark.shifts import check_shift, shift_volume
from skad.benchmark.study import Cohort
from skad.io import Volume

SHAPE = (21, 23, 25)  # all different
AFFINE = np.diag([1.0, 2.0, 0.5, 1.0])


def _volume(**images):
    return Volume(images or {"T1w": np.zeros(SHAPE)}, AFFINE, subject="sub-01")


def test_a_point_spreads_to_the_resolution_in_all_directions():
    point = np.zeros(SHAPE)
    point[10, 11, 12] = 1
    spread = shift_volume(_volume(T1w=point), {"resolution": 4.0}).contrasts["T1w"]
    for axis, spacing in enumerate((1.0, 2.0, 0.5)):
        profile = spread.sum(axis=tuple({0, 1, 2} - {axis}))
        mm = spacing * (np.arange(len(profile)) - len(profile) // 2)
        sigma = np.sqrt((profile * mm**2).sum() / profile.sum())
        assert 2.355 * sigma == pytest.approx(4.0, rel=0.05)


def test_a_bent_curve_keeps_the_ends_and_the_order():
    intensities = np.random.default_rng(0).uniform(50, 900, SHAPE)
    bent = shift_volume(_volume(T1w=intensities), {"gamma": 0.5}).contrasts["T1w"]
    order = intensities.ravel().argsort()
    assert (np.diff(bent.ravel()[order]) >= 0).all()
    np.testing.assert_allclose([bent.min(), bent.max()], [intensities.min(), intensities.max()], rtol=1e-5)
    middle = np.abs(intensities - (intensities.min() + intensities.max()) / 2).argmin()
    expected = intensities.min() + np.ptp(intensities) * np.sqrt(0.5)
    assert bent.ravel()[middle] == pytest.approx(expected, rel=0.01)


def test_a_contrast_goes_missing_and_the_others_stay():
    volume = _volume(T1w=np.ones(SHAPE), FLAIR=np.full(SHAPE, 2.0))
    shifted = shift_volume(volume, {"without": ["T1w"]})
    assert np.isnan(shifted.contrasts["T1w"]).all()
    np.testing.assert_array_equal(shifted.contrasts["FLAIR"], 2)


def test_background_stays_unknown():
    image = np.ones(SHAPE)
    image[:5] = np.nan
    shifted = shift_volume(Volume({"T1w": image}, AFFINE, mask=~np.isnan(image)), {"resolution": 3.0})
    np.testing.assert_array_equal(np.isnan(shifted.contrasts["T1w"]), np.isnan(image))


@pytest.mark.parametrize("without", [["T2w"], ["T1w"]])
def test_a_contrast_to_leave_out_is_there_and_not_the_only_one(without):
    with pytest.raises(ValueError, match="without should name some, not all, of the contrasts T1w"):
        shift_volume(_volume(), {"without": without})


@pytest.mark.parametrize(
    ("shift", "message"),
    [
        ({"blur": 1}, "shift of 'ms'"),
        ({"gamma": 0}, "gamma in the shift of 'ms' should be a positive number, got 0"),
        ({"without": "T1w"}, "should be a list of contrasts"),
    ],
)
def test_mistakes_in_a_study_are_told(shift, message):
    with pytest.raises(ValueError, match=message):
        check_shift("ms", shift)


@pytest.fixture
def subjects_where(monkeypatch):
    def loader():
        sites = {"a": "CS", "b": "DU", "c": "HT"}
        return [
            Volume({"T1w": np.zeros(SHAPE)}, AFFINE, subject=subject, info={"site": site})
            for subject, site in sites.items()
        ]

    monkeypatch.setitem(loaders.LOADERS, "sites", loader)
    return lambda where: [v.subject for v in loaders.load_volumes(Cohort("sites", {}, {}, where=where), None)]


def test_patients_are_chosen_by_their_columns(subjects_where):
    assert subjects_where({}) == ["a", "b", "c"]
    assert subjects_where({"site": "DU"}) == ["b"]
    assert subjects_where({"site": ["CS", "HT"]}) == ["a", "c"]


def test_a_choice_that_leaves_nobody_is_an_error(subjects_where):
    with pytest.raises(ValueError, match="No subject has"):
        subjects_where({"site": "nowhere"})
