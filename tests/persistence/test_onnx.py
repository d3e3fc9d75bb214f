"""A network in the ONNX format gives, by onnxruntime, the map that the estimator gives."""

import importlib
import importlib.util

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skad.persistence import export_onnx
from skad.reconstruction import (
    ContrastTranslator,
    DenoisingReconstructor,
    FAnoGANReconstructor,
    GMVAEReconstructor,
    IntroVAEReconstructor,
    LatentSearchTransformer,
    VAEReconstructor,
)
from skad.scoring import IntensityScorer, SyntheticAnomalyScorer

TOLERANCE = 1e-5  # of standardized intensities, or logits: float32, sums in another order
SIZE = (16, 24)
TINY = {"max_epochs": 1, "random_state": 0}

needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))),
    reason="onnx, onnxscript or onnxruntime is not installed: skad[export]",
)


@pytest.fixture(scope="module")
def images():
    """Five slices with background, one of them without foreground."""
    X = np.random.default_rng(0).normal(size=(5, 2, *SIZE)).astype(np.float32)
    X[:, :, :3] = np.nan
    X[1, :, :, :5] = np.nan
    X[4] = np.nan
    return X


def run(path, X):
    session = importlib.import_module("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"images": X})
    return session.get_outputs()[0].name, result


@needs_onnx
@pytest.mark.parametrize(
    "reconstructor",
    [
        VAEReconstructor(channels=(4, 8), latent_channels=3, **TINY),
        IntroVAEReconstructor(channels=(4, 8), latent_channels=3, **TINY),
        FAnoGANReconstructor(channels=(4, 8), n_latents=6, **TINY),
        ContrastTranslator(width=4, n_blocks=1, **TINY),
        DenoisingReconstructor(width=4, depth=2, **TINY),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_reconstructor_gives_the_same_reference(reconstructor, images, tmp_path):
    reconstructor.fit(images)
    export_onnx(reconstructor, tmp_path / "a.onnx", size=SIZE)
    name, reference = run(tmp_path / "a.onnx", images[1:])  # another number of slices
    assert name == "reference"
    np.testing.assert_allclose(reference, reconstructor.reconstruct(images[1:]), atol=TOLERANCE)


@needs_onnx
def test_a_scorer_of_pairs_gives_the_same_anomaly(images, tmp_path):
    pairs = np.stack([images, images + 0.1], axis=1)
    inputs = ("image", "reference", "position", "conditional")
    scorer = SyntheticAnomalyScorer(inputs=inputs, width=4, depth=2, **TINY).fit(pairs)
    export_onnx(scorer, tmp_path / "a.onnx", size=SIZE)
    name, anomaly = run(tmp_path / "a.onnx", pairs)
    assert name == "anomaly"
    np.testing.assert_allclose(anomaly, -scorer.score_samples(pairs), atol=TOLERANCE)
    assert [each.name for each in tmp_path.iterdir()] == ["a.onnx"]  # weights are inside


@needs_onnx
@pytest.mark.parametrize("name", ["mirror", "atlas", "conditional"])
def test_an_input_that_is_computed_in_the_network_is_in_the_file(name, images, tmp_path):
    place = np.random.default_rng(1).normal(size=(1, 2, *SIZE)).astype(np.float32)
    X = images + 3 * place  # slices that are alike at the same place, as "atlas" needs them
    scorer = SyntheticAnomalyScorer(inputs=("image", name), width=4, depth=2, **TINY).fit(X[:4])
    assert scorer.module_.inputs == ("image", name)
    export_onnx(scorer, tmp_path / "a.onnx", size=SIZE)
    _, anomaly = run(tmp_path / "a.onnx", X)
    np.testing.assert_allclose(anomaly, -scorer.score_samples(X), atol=TOLERANCE)


@needs_onnx
def test_neighbors_are_in_the_file_of_a_scorer_that_was_fitted_with_them(images, tmp_path):
    series = np.stack([images, images + 0.1, images - 0.2], axis=1)
    inputs = ("image", "neighbors")
    scorer = SyntheticAnomalyScorer(inputs=inputs, width=4, depth=2, **TINY).fit(series)
    export_onnx(scorer, tmp_path / "a.onnx", size=SIZE)
    _, anomaly = run(tmp_path / "a.onnx", series)
    np.testing.assert_allclose(anomaly, -scorer.score_samples(series), atol=TOLERANCE)


@needs_onnx
def test_neighbors_are_in_the_file_of_a_translator_that_was_fitted_with_them(images, tmp_path):
    series = np.stack([images, images + 0.1, images - 0.2], axis=1)
    translator = ContrastTranslator(width=4, n_blocks=1, **TINY).fit(series)
    export_onnx(translator, tmp_path / "a.onnx", size=SIZE)
    _, reference = run(tmp_path / "a.onnx", series)
    np.testing.assert_allclose(reference, translator.reconstruct(series), atol=TOLERANCE)


@pytest.mark.parametrize(
    "estimator",
    [
        IntensityScorer(),
        GMVAEReconstructor(),
        LatentSearchTransformer(VAEReconstructor()),
        make_pipeline(ContrastTranslator(), IntensityScorer()),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_no_single_pass_of_a_network_is_refused(estimator, tmp_path):
    with pytest.raises(TypeError, match=f"{type(estimator).__name__} is no single pass of a network"):
        export_onnx(estimator, tmp_path / "a.onnx", size=SIZE)


def test_the_estimator_has_to_be_fitted_and_the_size_known(images, tmp_path):
    with pytest.raises(NotFittedError):
        export_onnx(DenoisingReconstructor(), tmp_path / "a.onnx", size=SIZE)
    fitted = DenoisingReconstructor(width=2, depth=1, **TINY).fit(images)
    with pytest.raises(ValueError, match="size should be given: DenoisingReconstructor"):
        export_onnx(fitted, tmp_path / "a.onnx")
