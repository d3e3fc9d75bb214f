"""The ensemble of mixture tails and planted-lesion networks: what the names of contrasts make it of."""

import numpy as np
import pytest

from skad.persistence import load, save
from skad.scoring import make_lesion_ensemble

FAST = {"network__max_epochs": 1, "network__epoch_size": 1, "network__width": 2, "network__depth": 1}


@pytest.mark.parametrize(
    ("contrasts", "signs", "contrast"),
    [
        (["T1w", "FLAIR"], (0, 1), 1),
        (["FLAIR", "T1w", "T2w"], (1, 0, 1), 0),
        (["T1w", "ce-gadolinium_T1w"], None, None),
    ],
)
def test_names_of_contrasts_say_where_lesions_are_bright(contrasts, signs, contrast):
    members = dict(make_lesion_ensemble(contrasts).scorers)
    assert members["network"].families[0].appearance.signs == signs
    assert members["mixture"].contrast == contrast
    assert members["mixture"].sign == (contrast is not None)


def test_holes_are_filled():
    assert make_lesion_ensemble(["T1w", "FLAIR"]).fill_holes


def test_one_contrast_has_nothing_to_be_conditioned_on():
    ((name, network),) = make_lesion_ensemble(["FLAIR"]).scorers
    assert name == "network"
    assert "conditional" not in network.inputs


@pytest.mark.parametrize("n_contrasts", [1, 2, 4])
def test_it_is_fitted_and_saved_with_any_number_of_contrasts(n_contrasts, tmp_path):
    X = np.random.default_rng(0).normal(size=(6, n_contrasts, 24, 20)).astype(np.float32)
    X[:, :, :4, :6] = np.nan
    contrasts = ["FLAIR", "T1w", "T2w", "PDw"][:n_contrasts]
    ensemble = make_lesion_ensemble(contrasts, random_state=0).set_params(**FAST).fit(X)
    save(ensemble, tmp_path / "ensemble.skad")
    scores = ensemble.score_samples(X)
    np.testing.assert_array_equal(load(tmp_path / "ensemble.skad").score_samples(X), scores)
    np.testing.assert_array_equal(np.isnan(scores), np.isnan(X[:, 0]))


def test_only_the_networks_see_neighbors(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 3, 2, 24, 20)).astype(np.float32)
    ensemble = make_lesion_ensemble(["T1w", "FLAIR"], random_state=0).set_params(**FAST).fit(X)
    assert "neighbors" in ensemble.scorers_[1].module_.inputs
    before, others = ensemble.transform(X), X.copy()
    others[:, 1:] = rng.normal(size=(6, 2, 2, 24, 20))
    after = ensemble.transform(others)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert (after[:, 1] != before[:, 1]).any()
    save(ensemble, tmp_path / "ensemble.skad")
    scores = load(tmp_path / "ensemble.skad").score_samples(X)
    np.testing.assert_array_equal(scores, ensemble.score_samples(X))
