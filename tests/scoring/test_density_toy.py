"""Every density method ranks the pixels of a 2-D Gaussian as its true density does."""

import numpy as np
import pytest
from scipy import stats
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture

from skad.scoring import DAGMMScorer, JointDRGMM, MixtureScorer, SklearnScorer

MEAN, COVARIANCE = [1, -1], [[2, 1.2], [1.2, 1.5]]
TRAINING = {"n_components": 1, "n_features": 2, "max_epochs": 80, "batch_size": 2, "lr": 1e-2}


def draw(seed):
    """Images of two contrasts whose pixels are independent draws."""
    pixels = np.random.default_rng(seed).multivariate_normal(MEAN, COVARIANCE, size=(8, 24, 28))
    return np.moveaxis(pixels, -1, 1).astype(np.float32)


# DAGMM with the published weights. Distance and angle to the reconstruction tell how well the autoencoder
# learned a place, not how many pixels are there: without ``reg_covar`` their small variances weigh as much as
# those of the latent features, and the rank correlation is 0.64 to 0.99.
@pytest.mark.parametrize(
    ("scorer", "least"),
    [
        (MixtureScorer(n_components=1), 0.99),
        (SklearnScorer(GaussianMixture()), 0.99),
        (SklearnScorer(IsolationForest()), 0.9),
        (JointDRGMM(features="latent", **TRAINING), 0.9),
        (DAGMMScorer(reg_covar=1e-2, **TRAINING), 0.9),
    ],
    ids=["MixtureScorer", "GaussianMixture", "IsolationForest", "JointDRGMM", "DAGMMScorer"],
)
def test_scores_rank_as_the_true_density(scorer, least):
    new = draw(1)
    truth = stats.multivariate_normal(MEAN, COVARIANCE).logpdf(np.moveaxis(new, 1, -1))
    scores = scorer.set_params(random_state=0).fit(draw(0)).score_samples(new)
    assert stats.spearmanr(scores.ravel(), truth.ravel()).statistic > least
