"""Every estimator of skad passes every check; the list is in estimators.py."""

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Callback

from skad.base import takes_pairs
from skad.training import checkpoint_in
from skad.utils.estimator_checks import parametrize_with_checks
from skad.utils.estimator_checks.data import IMAGE_SIZE, as_pairs, make_check_images

from .estimators import ESTIMATORS, IMAGE_SIZES

TRAINED = [each for each in ESTIMATORS if "callbacks" in each.get_params(deep=False)]


@parametrize_with_checks(ESTIMATORS, image_sizes=IMAGE_SIZES)
def test_estimator_keeps_the_contract(estimator, check):
    check(estimator)


class Kill(Callback):
    """Ctrl-C in the second epoch."""

    def initialize(self):
        self.n_begun = 0
        return self

    def on_epoch_begin(self, net, **kwargs):
        self.n_begun += 1
        if self.n_begun == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("estimator", TRAINED, ids=lambda each: type(each).__name__)
def test_killed_fit_resumes_with_the_same_scores(estimator, tmp_path):
    images = make_check_images(image_size=IMAGE_SIZES.get(type(estimator), IMAGE_SIZE))
    X = as_pairs(images) if takes_pairs(estimator) else images
    estimator = clone(estimator).set_params(max_epochs=2, random_state=0)
    expected = clone(estimator).fit(X).score_samples(X)
    with pytest.raises(KeyboardInterrupt), checkpoint_in(tmp_path):
        clone(estimator).set_params(callbacks=[Kill()]).fit(X)
    with checkpoint_in(tmp_path):
        resumed = clone(estimator).fit(X)
    np.testing.assert_array_equal(resumed.score_samples(X), expected)
