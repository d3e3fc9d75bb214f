"""LatentSearchTransformer over fitted and unfitted reconstructors."""

import time

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import skad
from skad.reconstruction.contrast_translator import ContrastTranslator
from skad.reconstruction.introvae import IntroVAEReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer
from skad.reconstruction.vae import VAEReconstructor
from skad.scoring.residual import ResidualScorer


def tiny(kind=VAEReconstructor, **params):
    defaults = {"channels": (4, 8), "latent_channels": 2, "max_epochs": 5, "batch_size": 8, "random_state": 0}
    return kind(**{**defaults, **params})


@pytest.fixture(scope="module")
def vae(blobs):
    return tiny().fit(blobs)


def search(fitted, X, **params):
    return LatentSearchTransformer(FrozenEstimator(fitted), **params).fit(X)


def test_latents_are_the_same_one_by_one_and_together(vae, blobs):
    searched = search(vae, blobs)
    together = searched.encode(blobs[:6])
    alone = np.concatenate([searched.encode(blobs[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert np.abs(together - vae.encode(blobs[:6])).max() > 1e-2  # it did search


def test_batch_size_does_not_change_the_latents(vae, blobs):
    small, large = (search(vae, blobs, batch_size=size, n_steps=30).encode(blobs[:8]) for size in (3, 40))
    np.testing.assert_allclose(small, large, rtol=0, atol=1e-5)


def test_curve_falls_from_the_error_of_the_code_to_that_of_the_best_latents(vae, blobs):
    searched = search(vae, blobs, n_steps=40, lr=1e-2)
    curve = searched.search_curve(blobs)
    assert curve.shape == (40, 41)
    assert (np.diff(curve, axis=1) <= 0).all() and (curve[:, -1] < curve[:, 0]).all()
    images = torch.from_numpy(np.where(np.isnan(blobs), vae.background_[:, None, None], blobs))
    foreground = torch.from_numpy(~np.isnan(blobs[:, :1]))
    with torch.no_grad():
        for column, latents in ((0, vae.encode(blobs)), (-1, searched.encode(blobs))):
            error = vae.module_.error(torch.from_numpy(latents), images, foreground)
            np.testing.assert_allclose(curve[:, column], error, rtol=1e-4)


def test_the_search_moves_in_bf16_too(vae, blobs):
    half = clone(vae).set_params(precision="bf16").fit(blobs)
    curve = search(half, blobs, n_steps=20, lr=0.05).search_curve(blobs[:4])
    full = search(vae, blobs, n_steps=20, lr=0.05).search_curve(blobs[:4])
    gained, expected = (each[:, 0] - each[:, -1] for each in (curve, full))
    assert (gained > 0.5 * expected).all() and (expected > 0).all()


def test_references_are_decoded_from_the_best_latents(vae, blobs):
    searched = search(vae, blobs, n_steps=20, lr=1e-2)
    visible = ~np.isnan(blobs)
    decoded = searched.decode(searched.encode(blobs))
    np.testing.assert_allclose(searched.reconstruct(blobs)[visible], decoded[visible], rtol=1e-4, atol=1e-4)
    squared = [
        np.nanmean((r - blobs)[:, 0] ** 2) for r in (vae.reconstruct(blobs), searched.reconstruct(blobs))
    ]
    assert squared[1] < squared[0]


def test_without_steps_references_are_those_of_the_reconstructor(vae, blobs):
    actual = search(vae, blobs, n_steps=0).transform(blobs)
    np.testing.assert_allclose(actual, vae.transform(blobs), rtol=1e-4, atol=1e-4)


def test_search_leaves_the_networks_as_they_were(vae, blobs):
    before = {name: value.clone() for name, value in vae.module_.state_dict().items()}
    search(vae, blobs, n_steps=5).transform(blobs)
    assert all(torch.equal(value, before[name]) for name, value in vae.module_.state_dict().items())
    assert all(weight.requires_grad and weight.grad is None for weight in vae.module_.parameters())
    assert not any(part.training for part in vae.module_.modules())


def test_a_clone_is_fitted_and_the_parameter_stays_unfitted(blobs):
    inner = tiny(IntroVAEReconstructor, max_epochs=1)
    searched = LatentSearchTransformer(inner, n_steps=2).fit(blobs)
    assert not hasattr(inner, "module_")
    expected = clone(inner).fit(blobs).encode(blobs)
    np.testing.assert_array_equal(searched.reconstructor_.encode(blobs), expected)


def test_a_frozen_reconstructor_is_used_as_it_is(vae, blobs):
    searched = search(vae, blobs[:4])
    assert searched.module_ is vae.module_
    np.testing.assert_array_equal(searched.background_, vae.background_)


def test_a_frozen_reconstructor_that_is_not_fitted_is_refused(blobs):
    with pytest.raises(NotFittedError):
        search(tiny(), blobs)


def test_a_frozen_reconstructor_of_other_slices_is_refused(vae, blobs):
    with pytest.raises(ValueError, match="1 contrasts, but the estimator was fitted with 2"):
        search(vae, blobs[:, :1])
    with pytest.raises(ValueError, match="16 x 20 pixels"):
        search(vae, blobs[..., :20])


def test_a_reconstructor_without_latents_is_refused(blobs):
    with pytest.raises(ValueError, match="'encode' and 'decode'"):
        LatentSearchTransformer(ContrastTranslator()).fit(blobs)


def test_tolerance_ends_the_search_early(vae, blobs):
    whole, short = (search(vae, blobs, n_steps=40, lr=1e-2, tol=tol).search_curve(blobs) for tol in (0, 1e9))
    assert (whole[:, -1] < whole[:, 1]).all()
    np.testing.assert_array_equal(short[:, -1], short[:, 1])  # the first step did not improve by so much


def test_slices_without_foreground_do_not_disturb_the_search(vae, blobs):
    X = blobs[:3].copy()
    X[1] = np.nan
    searched = search(vae, blobs, n_steps=10)
    assert np.isfinite(searched.search_curve(X)).all()
    np.testing.assert_allclose(searched.encode(X)[[0, 2]], searched.encode(blobs[[0, 2]]), rtol=0, atol=1e-5)


def test_it_is_a_step_of_a_pipeline_and_of_a_file(vae, blobs, tmp_path):
    pipeline = make_pipeline(LatentSearchTransformer(tiny(max_epochs=1), n_steps=3), ResidualScorer()).fit(
        blobs
    )
    skad.save(pipeline, tmp_path / "search.skad")
    scores = skad.load(tmp_path / "search.skad").score_samples(blobs)
    np.testing.assert_array_equal(scores, pipeline.score_samples(blobs))
    pipeline.set_params(latentsearchtransformer__reconstructor__max_epochs=2)
    assert pipeline[0].reconstructor.max_epochs == 2


def test_error_never_rises_on_real_slices(real_data):
    import nibabel

    folder = sorted((real_data / "glioma256").glob("sub-*"))[0]
    volume = nibabel.load(next(folder.glob("anat/*_ce-gadolinium_T1w.nii.gz"))).get_fdata()
    X = np.moveaxis(volume[::8, ::8, ::2], 2, 0)[:, None].astype(np.float32)
    curve = LatentSearchTransformer(tiny(max_epochs=3), n_steps=20).fit(X).search_curve(X)
    assert (np.diff(curve, axis=1) <= 0).all() and (curve[:, -1] < curve[:, 0]).all()


@pytest.mark.gpu
def test_batched_search_is_at_least_5_times_as_fast_per_slice():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(32, 1, 256, 256)).astype(np.float32)
    vae = VAEReconstructor(max_epochs=1, batch_size=16, device="cuda", random_state=0).fit(X)

    def seconds(batch_size, n):
        searched = search(vae, X, batch_size=batch_size, n_steps=20)
        searched.encode(X[:n])  # warm up
        start = time.perf_counter()
        searched.encode(X[:n])
        return (time.perf_counter() - start) / n

    assert seconds(1, 4) > 5 * seconds(32, 32)
