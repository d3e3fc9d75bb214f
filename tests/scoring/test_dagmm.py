"""DAGMM against scikit-learn's mixture, scipy's distances, and its published objective by hand."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cosine, euclidean
from sklearn.mixture import GaussianMixture

from skad.mixture import SingularCovarianceError
from skad.nn.dagmm import DAGMMNetwork, reconstruction_features
from skad.scoring import DAGMMScorer
from skad.scoring.dagmm import dagmm_loss

FAST = {"n_components": 2, "width": 4, "max_epochs": 2, "batch_size": 2, "random_state": 0}


@pytest.fixture
def images():
    X = np.random.default_rng(0).normal(size=(5, 3, 9, 14)).astype(np.float32)
    X[:, :, :3, :5] = np.nan
    return X


def foreground_rows(maps):
    rows = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
    return rows[~np.isnan(rows[:, 0])].astype(np.float64)


def as_sklearn(weights, means, covariances):
    mixture = GaussianMixture(len(weights))
    mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, covariances
    mixture.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(covariances))
    return mixture


@pytest.mark.parametrize("convolutional", [False, True])
def test_scores_are_scikit_learns_log_densities_of_the_features(images, convolutional):
    scorer = DAGMMScorer(**FAST, convolutional=convolutional).fit(images)
    scores = scorer.score_samples(images)
    mixture = as_sklearn(scorer.weights_, scorer.means_, scorer.covariances_)
    expected = mixture.score_samples(foreground_rows(scorer.transform(images)))
    np.testing.assert_allclose(scores[~np.isnan(scores)], expected, rtol=1e-3, atol=1e-3)


def test_final_mixture_is_that_of_all_training_pixels(images):
    scorer = DAGMMScorer(**FAST, reg_covar=0.01).fit(images)
    features = foreground_rows(scorer.transform(images))
    with torch.no_grad():
        share = scorer.module_.responsibilities(torch.from_numpy(features).float()).double().numpy()
    means = np.stack([np.average(features, axis=0, weights=each) for each in share.T])
    covariances = np.stack([np.cov(features.T, aweights=each, ddof=0) for each in share.T])
    np.testing.assert_allclose(scorer.weights_, share.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scorer.means_, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scorer.covariances_, covariances + 0.01 * np.eye(4), rtol=1e-3, atol=1e-5)


def test_last_two_features_are_distance_and_angle_from_the_darkest_values(images):
    scorer = DAGMMScorer(**FAST).fit(images)
    with torch.no_grad():
        rebuilt = scorer.module_(torch.from_numpy(np.nan_to_num(images)))[1].numpy()
    image, rebuilt = (each[1, :, 7, 11] - scorer.background_ for each in (images, rebuilt))
    expected = euclidean(image, rebuilt) / np.linalg.norm(image), 1 - cosine(image, rebuilt)
    np.testing.assert_allclose(scorer.transform(images)[1, -2:, 7, 11], expected, rtol=1e-4)


def test_reconstruction_features_are_scipys():
    generator = torch.Generator().manual_seed(0)
    images, rebuilt = torch.randn(2, 2, 3, 4, 5, generator=generator)
    features = reconstruction_features(images, rebuilt)
    for n, row, column in np.ndindex(2, 4, 5):
        x, y = images[n, :, row, column].numpy(), rebuilt[n, :, row, column].numpy()
        expected = euclidean(x, y) / np.linalg.norm(x), 1 - cosine(x, y)
        np.testing.assert_allclose(features[n, :, row, column], expected, rtol=1e-4, atol=1e-6)


def test_reconstruction_features_of_nothing_are_finite_with_finite_gradients():
    images = torch.zeros(1, 2, 1, 3)
    rebuilt = torch.zeros(1, 2, 1, 3, requires_grad=True)
    features = reconstruction_features(images, rebuilt)
    features.sum().backward()
    assert features.isfinite().all() and rebuilt.grad.isfinite().all()


def test_objective_is_error_plus_energy_plus_inverse_variances():
    torch.manual_seed(0)
    network = DAGMMNetwork(2, 1, 2, width=4).eval()
    images = torch.randn(3, 2, 6, 7)
    foreground = torch.rand(3, 1, 6, 7) < 0.7
    losses = dagmm_loss(network, images, foreground, energy_weight=0.1, penalty_weight=0.005, reg_covar=0.1)
    with torch.no_grad():
        maps, rebuilt = network(images)
        features = maps.permute(0, 2, 3, 1)[foreground[:, 0]]
        share = network.responsibilities(features).double().numpy()
    features, inside = features.double().numpy(), foreground[:, 0].numpy()
    means = np.stack([np.average(features, axis=0, weights=each) for each in share.T])
    covariances = np.stack([np.cov(features.T, aweights=each, ddof=0) for each in share.T])
    covariances = covariances + 0.1 * np.eye(3)
    error = ((images - rebuilt) ** 2).sum(1).numpy()[inside].mean()
    mean_energy = -as_sklearn(share.mean(axis=0), means, covariances).score_samples(features).mean()
    penalty = sum(1 / variance for covariance in covariances for variance in np.diag(covariance))
    assert losses["loss"].item() == pytest.approx(error + 0.1 * mean_energy + 0.005 * penalty, rel=1e-4)


def test_energy_teaches_the_autoencoder_too():
    torch.manual_seed(0)
    network = DAGMMNetwork(2, 1, 2, width=4)
    losses = dagmm_loss(
        network,
        torch.randn(3, 2, 6, 7),
        torch.ones(3, 1, 6, 7, dtype=torch.bool),
        energy_weight=1.0,
        penalty_weight=0.0,
        reg_covar=1e-6,
    )
    losses["energy"].backward()
    assert all(p.grad.abs().sum() > 0 for p in network.parameters())


def field_of(network):
    """Which pixels of an image the reconstruction of pixel (4, 5) depends on."""
    image = torch.randn(1, 2, 9, 12, generator=torch.Generator().manual_seed(0), requires_grad=True)
    network(image)[1][0, :, 4, 5].sum().backward()
    return image.grad.abs().sum(dim=(0, 1)).nonzero().tolist()


def test_dag_sees_one_pixel_and_its_convolutional_variant_the_surroundings():
    assert field_of(DAGMMNetwork(2, width=4)) == [[4, 5]]
    assert len(field_of(DAGMMNetwork(2, width=4, convolutional=True))) > 9


def test_dropout_acts_in_training_only(images):
    scorer = DAGMMScorer(**FAST).fit(images)
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(*(scorer.module_.responsibilities(features) for _ in range(2)))
    scorer.module_.train()
    first, second = (scorer.module_.responsibilities(features) for _ in range(2))
    assert not torch.equal(first, second)


def test_without_regularization_one_contrast_is_singular(images):
    """With one contrast above the darkest value the cosine similarity is 1 everywhere."""
    with pytest.raises((SingularCovarianceError, ValueError), match=r"singular|became inf"):
        DAGMMScorer(**FAST, reg_covar=0).fit(images[:, :1])
    assert np.isfinite(DAGMMScorer(**FAST).fit(images[:, :1]).covariances_).all()
