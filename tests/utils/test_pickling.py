"""What is learned alike has one key in a cache, and what is learned otherwise another."""

import copy
import pickle

import joblib
import pytest
from sklearn.base import clone

from skad.base import takes_pairs
from skad.scoring import ResidualScorer
from skad.utils.estimator_checks.data import IMAGE_SIZE, as_pairs, make_check_images
from tests.estimators import ESTIMATORS, IMAGE_SIZES

SEEDED = [each for each in ESTIMATORS if "random_state" in each.get_params(deep=False)]


def name_of(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_the_same_network_has_the_same_key(estimator):
    images = make_check_images(image_size=IMAGE_SIZES.get(type(estimator), IMAGE_SIZE))
    X = as_pairs(images) if takes_pairs(estimator) else images
    seeds = [name for name in estimator.get_params() if name.rpartition("__")[2] == "random_state"]
    estimator = clone(estimator).set_params(**dict.fromkeys(seeds, 0))
    fitted = clone(estimator).fit(X)
    key = joblib.hash(fitted)
    for same in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted)), clone(estimator).fit(X)):
        assert joblib.hash(same) == key
    fitted.score_samples(X)
    assert joblib.hash(fitted) == key
    assert joblib.hash(clone(estimator).fit(2 * X)) != key or isinstance(estimator, ResidualScorer)


@pytest.mark.parametrize("estimator", SEEDED, ids=name_of)
def test_an_unfitted_estimator_has_a_key_of_its_own_only_without_a_seed(estimator):
    seeded, unseeded = (clone(estimator).set_params(random_state=seed) for seed in (0, None))
    assert joblib.hash(seeded) == joblib.hash(clone(seeded))
    if name_of(estimator) != "SklearnScorer":  # scikit-learn's own estimators are not told apart
        assert joblib.hash(unseeded) != joblib.hash(unseeded)
