"""What has not learned is told from what is merely weak."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from skad.benchmark.parameters import count_parameters
from skad.evaluation.collapse import (
    at_the_floor,
    constant_score,
    loss_did_not_fall,
    no_reference,
    why_collapsed,
)
from skad.scoring import JointDRGMM


def test_one_score_for_all_is_constant_however_rounding_stirs_it():
    rng = np.random.default_rng(0)
    maps = 5 + 1e-7 * rng.normal(size=(2, 3, 4))
    maps[0, 0] = np.nan
    assert constant_score(maps) and constant_score(np.zeros(3))
    assert constant_score(maps + 1e-3 * rng.normal(size=maps.shape)) is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_around_one_level_is_no_falling_loss(seed):
    noise = np.random.default_rng(seed).normal(size=30)
    assert loss_did_not_fall((2 + 0.1 * (noise - noise[0])).tolist())
    assert loss_did_not_fall((2 * 0.9 ** np.arange(30) + 0.01 * noise).tolist()) is None


def test_references_that_follow_one_contrast_are_references():
    rng = np.random.default_rng(0)
    images = rng.normal(3.0, 1.0, size=(100, 2, 5, 4))
    images[0], images[:, :, 0] = np.nan, np.nan  # a slice without foreground, and background everywhere
    noise = np.where(np.isnan(images), np.nan, rng.normal(size=images.shape))
    one = noise.copy()
    one[:, 1] += 0.5 * images[:, 1]
    assert no_reference(np.stack([images, one], axis=1)) is None
    for nothing in (noise, 5 + 0 * images, -images):
        assert no_reference(np.stack([images, nothing], axis=1))


def test_losses_may_be_negative_and_fall_for_two_epochs_only():
    assert loss_did_not_fall([-1.0, -2.0]) is None and loss_did_not_fall([-2.0, -1.0])
    assert loss_did_not_fall([1.0]) is None


def test_only_a_mixture_that_is_at_the_floor_everywhere_has_collapsed():
    floor, wide = 1e-6 * np.eye(3), np.diag([1e-6, 1e-6, 2.0])
    mixture = SimpleNamespace(eigenvalue_floor=1e-6, weights_=np.array([0.7, 0.3]))
    mixture.covariances_ = np.stack([floor, floor])
    assert "floor" in at_the_floor(mixture) and "floor" in why_collapsed(mixture)
    mixture.covariances_ = np.stack([floor, wide])
    assert at_the_floor(mixture) is None
    mixture.weights_ = np.array([1.0, 0.0])  # the wide component explains nothing
    assert at_the_floor(mixture)
    assert "floor" in why_collapsed(SimpleNamespace(scorers_=[SimpleNamespace(), mixture]))  # in an ensemble
    mixture.reg_covar = mixture.__dict__.pop("eigenvalue_floor")
    assert at_the_floor(mixture)


def test_of_two_players_the_reconstruction_error_counts():
    game = SimpleNamespace(loss_curve_=[1.0, 2.0], history_={"reconstruction_error": [2.0, 1.0]})
    assert why_collapsed(game) is None
    game.history_ = {}
    assert "loss did not fall by more than its noise (1 to 2 ±" in why_collapsed(game)


def test_parameters_of_estimators_inside_are_counted_once():
    inner = JointDRGMM()
    inner.module_ = torch.nn.Linear(3, 4)
    assert count_parameters(inner) == 16
    outer = FrozenEstimator(inner)
    outer.module_ = inner.module_
    assert count_parameters(outer) == 16
