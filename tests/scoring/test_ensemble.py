"""Fisher's combination, recomputed from ranks; members by name; what a member is shown."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skad.postprocessing import fill_holes
from skad.scoring import EnsembleScorer, IntensityScorer, ResidualScorer, SyntheticAnomalyScorer

rng = np.random.default_rng(0)
X = rng.normal(size=(5, 2, 60, 70)).astype(np.float32)
X[:, :, :2, :3] = np.nan
NEW = rng.normal(size=(3, 2, 6, 7)).astype(np.float32)
BRIGHT = IntensityScorer(contrast=0, smoothing=0)
DARK = IntensityScorer(contrast=1, sign=-1, smoothing=0)


def log_share(abnormality, normal):
    """Logarithm of the share of normal pixels that are at least as abnormal, counted."""
    normal = normal[~np.isnan(normal)]
    return np.log((normal >= abnormality[..., None]).mean(axis=-1))


@pytest.mark.parametrize(("weights", "shares"), [(None, (0.5, 0.5)), ([3, 1], (0.75, 0.25))])
def test_score_is_the_mean_logarithm_of_the_shares_of_more_abnormal_normal_pixels(weights, shares):
    ensemble = EnsembleScorer([("bright", BRIGHT), ("dark", DARK)], weights=weights).fit(X)
    expected = shares[0] * log_share(NEW[:, 0], X[:, 0]) + shares[1] * log_share(-NEW[:, 1], -X[:, 1])
    assert_allclose(ensemble.score_samples(NEW), expected, atol=0.03)


def test_holes_of_the_combined_map_are_filled():
    members = [("bright", BRIGHT), ("dark", DARK)]
    scores = EnsembleScorer(members).fit(X).score_samples(NEW)
    filling = EnsembleScorer(members, fill_holes=True, contamination=0.2).fit(X)
    filled = filling.score_samples(NEW)
    assert_array_equal(filled, -fill_holes(-scores))
    assert (filled < scores).any()
    assert filling.offset_ == pytest.approx(np.nanquantile(filling.score_samples(X), 0.2))


def test_the_offset_is_the_quantile_of_the_training_scores():
    ensemble = EnsembleScorer([("bright", BRIGHT), ("dark", DARK)], weights=[1, 3], contamination=0.2).fit(X)
    assert ensemble.offset_ == pytest.approx(np.nanquantile(ensemble.score_samples(X), 0.2))


def test_the_units_of_members_cancel():
    bright = EnsembleScorer([("bright", BRIGHT), ("dark", DARK)])
    scaled = np.array([1000.0, 0.01], dtype=np.float32)[:, None, None]
    assert_allclose(
        bright.fit(X * scaled).score_samples(NEW * scaled), bright.fit(X).score_samples(NEW), atol=1e-3
    )


def test_the_tail_goes_on_as_that_of_an_exponential_distribution():
    normal = rng.exponential(scale=2.0, size=(40, 1, 80, 80)).astype(np.float32)
    far = np.full((1, 1, 1, 2), [30.0, 60.0], dtype=np.float32)
    log_p = EnsembleScorer([("bright", BRIGHT)]).fit(normal).score_samples(far)
    assert_allclose(log_p[0, 0], stats.expon(scale=2.0).logsf([30.0, 60.0]), rtol=0.35)
    assert log_p[0, 0, 1] < log_p[0, 0, 0]


def test_members_that_take_images_are_shown_the_images_of_pairs():
    pairs = np.stack([X, 0.5 * X], axis=1)
    members = [("bright", BRIGHT), ("residual", ResidualScorer(sign=1, contrasts=[1]))]
    ensemble = EnsembleScorer(members).fit(pairs)
    expected = (log_share(NEW[:, 0], X[:, 0]) + log_share(0.5 * NEW[:, 1], 0.5 * X[:, 1])) / 2
    assert_allclose(ensemble.score_samples(np.stack([NEW, 0.5 * NEW], axis=1)), expected, atol=0.03)


def test_a_frozen_member_is_used_as_it_was_fitted():
    fitted = clone(BRIGHT).fit(X)
    member = EnsembleScorer([("fitted", FrozenEstimator(fitted))]).fit(NEW).scorers_[0]
    assert member.estimator is fitted


def test_a_member_that_was_fitted_on_images_is_shown_the_images_of_pairs():
    small = X[:, :, :12, :16].copy()
    planted = SyntheticAnomalyScorer(width=2, depth=1, max_epochs=1, random_state=0).fit(small)
    pairs = np.stack([small, 0.5 * small], axis=1)
    ensemble = EnsembleScorer([("planted", FrozenEstimator(planted))])
    on_pairs = ensemble.fit(pairs).score_samples(pairs)
    assert_allclose(on_pairs, ensemble.fit(small).score_samples(small))


def test_a_member_that_says_one_thing_everywhere_changes_no_order():
    flat = np.concatenate([X[:, :1], np.where(np.isnan(X[:, 1:]), np.nan, 2.0)], axis=1)
    both = EnsembleScorer([("bright", BRIGHT), ("flat", DARK)]).fit(flat).score_samples(flat)
    alone = EnsembleScorer([("bright", BRIGHT)]).fit(flat).score_samples(flat)
    assert_allclose(both - np.nanmean(both), (alone - np.nanmean(alone)) / 2, atol=1e-4)


class Remembers(IntensityScorer):
    """Keeps what it is fitted to, and which slices it scored in `fit` of the ensemble."""

    def fit(self, X, y=None):
        self.seen_, self.scored_ = set(X[:, 0, -1, -1].tolist()), []
        return super().fit(X, y)

    def score_samples(self, X):
        self.scored_.append(set(X[:, 0, -1, -1].tolist()))
        return super().score_samples(X)


def test_with_cv_scorers_are_calibrated_on_slices_they_have_not_seen():
    many = rng.normal(size=(40, 1, 6, 7)).astype(np.float32)
    fits = EnsembleScorer([("a", Remembers(smoothing=0))], cv=2).fit(many).scorers_
    assert all(not fitted.seen_ & scored for fitted in fits for scored in fitted.scored_[-1:])
    assert set.union(*(fitted.seen_ for fitted in fits)) == set(many[:, 0, -1, -1].tolist())
    near = set(many[12:28, 0, -1, -1].tolist())  # eight slices on each side of the border
    assert all(not near & fitted.scored_[-1] for fitted in fits)


def test_with_cv_training_slices_are_scored_as_new_by_fits_that_have_not_seen_them():
    many = rng.normal(size=(40, 1, 6, 7)).astype(np.float32)
    ensemble = EnsembleScorer([("a", Remembers(smoothing=0))], cv=2, contamination=0.2).fit(many)
    scores = ensemble._scores_as_new(many)
    assert all(not fitted.seen_ & fitted.scored_[-1] for fitted in ensemble.scorers_)
    assert np.nanquantile(scores, 0.2) == pytest.approx(ensemble.offset_)


def test_with_cv_the_score_is_the_mean_over_folds():
    many = rng.normal(size=(60, 2, 30, 31)).astype(np.float32)
    many[40:] *= 2  # the last fold is another distribution
    ensemble = EnsembleScorer([("bright", BRIGHT), ("dark", DARK)], cv=3).fit(many)
    calibrated_on = [many[:12], many[28:32], many[48:]]
    expected = [
        (log_share(NEW[:, 0], part[:, 0]) + log_share(-NEW[:, 1], -part[:, 1])) / 2 for part in calibrated_on
    ]
    assert_allclose(ensemble.score_samples(NEW), np.mean(expected, axis=0), atol=0.15)


def test_seeds_differ_between_folds_and_stay_what_they_are_in_the_parameters():
    small = X[:, :, :12, :16].copy()
    planted = SyntheticAnomalyScorer(width=2, depth=1, max_epochs=1, random_state=3)
    ensemble = EnsembleScorer([("planted", planted)], cv=2).fit(small)
    assert [fitted.random_state for fitted in ensemble.scorers_] == [3, 4]
    assert planted.random_state == 3


def test_a_fold_without_a_slice_is_refused():
    with pytest.raises(ValueError, match="cv=6 needs at least as many slices with foreground, got 5"):
        EnsembleScorer([("bright", BRIGHT)], cv=6).fit(X)


def test_parameters_of_members_are_reached_by_name():
    ensemble = EnsembleScorer([("bright", BRIGHT), ("dark", DARK)])
    ensemble = clone(ensemble).set_params(dark__smoothing=2.0, bright=ResidualScorer())
    assert isinstance(ensemble.get_params()["bright"], ResidualScorer)
    assert ensemble.get_params()["dark__smoothing"] == 2.0


@pytest.mark.parametrize(
    ("scorers", "weights", "message"),
    [
        ([], None, "at least one"),
        ([("a", BRIGHT), ("a", DARK)], None, "not unique"),
        ([("a__b", BRIGHT)], None, "__"),
        ([("a", 3)], None, "scorers of skad, got 3"),
        ([("a", BRIGHT)], [1, 2], "one for each of 1"),
    ],
)
def test_what_is_no_ensemble_is_told(scorers, weights, message):
    with pytest.raises(ValueError, match=message):
        EnsembleScorer(scorers, weights=weights).fit(X)


def test_scorers_without_names_are_refused_with_an_example():
    with pytest.raises(ValueError, match=r"EnsembleScorer\(\[\('intensity', IntensityScorer\(\)\)\]\)"):
        EnsembleScorer([IntensityScorer()]).fit(np.ones((2, 1, 7, 8), np.float32))
