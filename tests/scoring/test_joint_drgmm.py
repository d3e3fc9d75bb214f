"""JointDRGMM: the density is the mixture it says, its variants are what they claim, singularity."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import get_tags

from skad.mixture import SingularCovarianceError
from skad.nn.joint_density import JointDensityNetwork
from skad.postprocessing import smooth_foreground
from skad.scoring import JointDRGMM
from skad.scoring.joint_drgmm import joint_loss

FAST = {"n_components": 2, "width": 4, "max_epochs": 1, "random_state": 0}


def make_pairs(n=6, n_contrasts=3, height=10, width=14, seed=0):
    rng = np.random.default_rng(seed)
    pairs = rng.normal(size=(n, 2, n_contrasts, height, width)).astype(np.float32)
    pairs[:, :, :, :2] = np.nan
    return pairs


def foreground_features(scorer, pairs):
    maps = np.moveaxis(scorer.transform(pairs), 1, -1)
    return maps[~np.isnan(maps).any(axis=-1)]


def as_sklearn(scorer):
    mixture = GaussianMixture(len(scorer.weights_))
    mixture.weights_, mixture.means_, mixture.covariances_ = (
        scorer.weights_,
        scorer.means_,
        scorer.covariances_,
    )
    mixture.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(scorer.covariances_))
    return mixture


def test_scores_are_log_densities_of_the_features_under_the_fitted_mixture():
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST).fit(pairs)
    scores = scorer.score_samples(pairs)
    expected = as_sklearn(scorer).score_samples(foreground_features(scorer, pairs).astype(np.float64))
    np.testing.assert_allclose(scores[~np.isnan(scores)], expected, rtol=1e-5)


def test_final_mixture_is_that_of_all_training_pixels_not_of_the_last_batch():
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST, batch_size=2).fit(pairs)
    features = foreground_features(scorer, pairs).astype(np.float64)
    with torch.no_grad():
        responsibilities = (
            scorer.module_.responsibilities(torch.from_numpy(features).float()).double().numpy()
        )
    counts = responsibilities.sum(axis=0)
    np.testing.assert_allclose(scorer.weights_, counts / len(features), rtol=1e-5)
    np.testing.assert_allclose(
        scorer.means_, responsibilities.T @ features / counts[:, None], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize(("features", "n"), [("both", 6), ("residual", 3), ("latent", 3)])
def test_variants_see_their_features(features, n):
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST, features=features).fit(pairs)
    assert scorer.transform(pairs).shape == (6, n, 10, 14)
    assert scorer.means_.shape == (2, n)


@pytest.mark.parametrize(("residual", "expected"), [("absolute", np.abs), ("signed", np.asarray)])
def test_residual_features_are_image_minus_reference(residual, expected):
    pairs = make_pairs()
    features = JointDRGMM(**FAST, features="residual", residual=residual).fit(pairs).transform(pairs)
    np.testing.assert_allclose(features, expected(pairs[:, 0] - pairs[:, 1]), rtol=1e-6)


def test_smoothing_smooths_the_signed_residual_inside_the_foreground():
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST, features="residual", residual="signed", smoothing=1.5).fit(pairs)
    expected = smooth_foreground(pairs[:, 0] - pairs[:, 1], 1.5)
    np.testing.assert_allclose(scorer.transform(pairs), expected, atol=1e-5)


def test_images_without_a_reference_mean_latent_features():
    images = make_pairs()[:, 0]
    scorer = JointDRGMM(**FAST).fit(images)
    assert scorer.means_.shape == (2, 3)
    assert scorer.score_samples(images).shape == (6, 10, 14)


def test_residual_features_of_images_are_refused():
    with pytest.raises(ValueError, match="image and normal reference"):
        JointDRGMM(**FAST, features="residual").fit(make_pairs()[:, 0])


def test_images_are_refused_after_a_fit_on_pairs():
    scorer = JointDRGMM(**FAST).fit(make_pairs())
    with pytest.raises(ValueError, match="fitted on pairs"):
        scorer.score_samples(make_pairs()[:, 0])


def loss_gradients(detach):
    torch.manual_seed(0)
    network = JointDensityNetwork(2, features="latent", n_components=2, width=4, detach=detach)
    images = torch.randn(3, 2, 8, 9)
    losses = joint_loss(
        network, images, torch.ones(3, 1, 8, 9, dtype=torch.bool), energy_weight=1.0, covariance=lambda c: c
    )
    losses["energy"].backward()
    return network


def test_joint_learning_carries_the_energy_into_the_features():
    network = loss_gradients(detach=False)
    assert all(p.grad.abs().sum() > 0 for p in network.reducer.encoder.parameters())


def test_without_joint_learning_the_energy_teaches_responsibilities_only():
    network = loss_gradients(detach=True)
    assert all(p.grad is None for p in network.reducer.parameters())
    assert all(p.grad is not None for p in network.responsibility.parameters())


def test_scaled_residuals_have_unit_variance_where_noise_depends_on_the_reference():
    rng = np.random.default_rng(0)
    reference = rng.choice([-1.0, 1.0], size=(12, 1, 20, 24)).repeat(2, axis=1)
    noise = rng.normal(size=reference.shape) * np.where(reference > 0, 2.0, 0.2)
    pairs = np.stack([reference + noise, reference], axis=1)
    scorer = JointDRGMM(
        n_components=1,
        width=8,
        max_epochs=60,
        batch_size=4,
        lr=1e-2,
        random_state=0,
        features="residual",
        residual="signed",
        scale_residual=True,
    ).fit(pairs)
    scaled = scorer.transform(pairs)
    assert np.std(scaled[reference > 0]) == pytest.approx(1, abs=0.15)
    assert np.std(scaled[reference < 0]) == pytest.approx(1, abs=0.15)


def dependent_pairs():
    """Signed residuals of rank 2 in 3 dimensions: the third is the sum of the others."""
    pairs = make_pairs(n_contrasts=3)
    residual = pairs[:, 0] - pairs[:, 1]
    residual[:, 2] = residual[:, 0] + residual[:, 1]
    pairs[:, 1] = 0 * pairs[:, 1]
    pairs[:, 0] = residual
    return pairs


def test_the_floor_carries_features_of_rank_two_through_fifty_epochs():
    settings = {**FAST, "max_epochs": 50, "features": "residual", "residual": "signed"}
    scorer = JointDRGMM(**settings, singularity="floor").fit(dependent_pairs())
    assert np.linalg.eigvalsh(scorer.covariances_).min() >= 1e-6 * (1 - 1e-3)
    assert len(scorer.loss_curve_) == 50
    assert np.isfinite(scorer.loss_curve_).all()


@pytest.mark.parametrize("singularity", ["none", "penalty"])
def test_without_the_floor_features_of_rank_two_stop_with_a_clear_error(singularity):
    settings = {**FAST, "max_epochs": 50, "features": "residual", "residual": "signed"}
    with pytest.raises(SingularCovarianceError, match="singular"):
        JointDRGMM(**settings, singularity=singularity).fit(dependent_pairs())


def test_a_missing_contrast_has_zero_residual():
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST, features="residual").fit(pairs)
    pairs[0, 0, 1] = np.nan
    features = scorer.transform(pairs)
    foreground = ~np.isnan(pairs[0, 0, 0])
    assert (features[0, 1][foreground] == 0).all()
    assert (features[0, 0][foreground] != 0).all()
    assert np.isfinite(scorer.score_samples(pairs)[0][foreground]).all()


def test_a_warm_start_follows_parameters_without_weights_and_refuses_those_with():
    P = np.random.default_rng(0).normal(size=(6, 2, 2, 10, 14)).astype(np.float32)
    scorer = JointDRGMM(n_components=2, width=3, max_epochs=1, random_state=0, warm_start=True).fit(P)
    scorer.set_params(residual="signed").fit(P)
    assert (scorer.transform(P)[:, 0] < 0).any()
    with pytest.raises(ValueError, match="another one"):
        scorer.set_params(width=4).fit(P)


def test_residual_features_take_no_images():
    tags = get_tags(JointDRGMM(features="residual")).input_tags
    assert tags.pairs and not tags.images


def test_the_expected_spread_is_that_of_the_reference_not_of_a_lesion():
    """A lesion in the image changes its residual, never the scale that the residual is divided by."""
    pairs = make_pairs()
    scorer = JointDRGMM(**FAST, features="residual", residual="signed", scale_residual=True, smoothing=1.0)
    scorer.fit(pairs)
    with_lesion = pairs.copy()
    with_lesion[:, 0, :, 4:7, 5:9] += 3.0

    def spread(P):
        return smooth_foreground(P[:, 0] - P[:, 1], 1.0) / scorer.transform(P)

    np.testing.assert_allclose(spread(with_lesion), spread(pairs), rtol=1e-3)


def test_steps_of_expectation_maximization_are_scikit_learns():
    pairs = make_pairs()
    settings = {**FAST, "features": "residual", "residual": "signed"}
    start, found = (JointDRGMM(**settings, n_em_steps=n).fit(pairs) for n in (0, 3))
    features = start.transform(pairs)
    rows = features.transpose(0, 2, 3, 1)[~np.isnan(features[:, 0])]
    expected = GaussianMixture(
        n_components=2,
        max_iter=3,
        tol=0,
        reg_covar=0,
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=np.linalg.inv(start.covariances_),
    )
    with pytest.warns(ConvergenceWarning):
        expected.fit(rows)
    np.testing.assert_allclose(found.weights_, expected.weights_, rtol=1e-5)
    np.testing.assert_allclose(found.means_, expected.means_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.covariances_, expected.covariances_, rtol=1e-4, atol=1e-7)


def test_the_training_likelihood_never_falls_with_more_steps():
    pairs = make_pairs()
    scores = [JointDRGMM(**FAST, n_em_steps=n).fit(pairs).score_samples(pairs) for n in range(4)]
    likelihoods = [np.nanmean(score) for score in scores]
    assert likelihoods == sorted(likelihoods) and likelihoods[-1] > likelihoods[0] + 1e-3
