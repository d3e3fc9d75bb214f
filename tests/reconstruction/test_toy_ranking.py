"""Every reconstructor ranks the pixels of a lesion that no normal slice has above the normal ones."""

import warnings

import numpy as np
import pytest

from skad.evaluation.collapse import CollapseWarning
from skad.metrics import foreground_roc_auc_score
from skad.reconstruction import (
    ContrastTranslator,
    DenoisingReconstructor,
    FAnoGANReconstructor,
    GMVAEReconstructor,
    IntroVAEReconstructor,
    LatentSearchTransformer,
    VAEReconstructor,
)
from skad.scoring import DeepSVDDScorer

VAE = {"channels": (8, 16), "latent_channels": 4, "max_epochs": 20, "encoder_lr": 3e-3, "batch_size": 8}
# f-AnoGAN generates an image of its own, and Deep SVDD's features see 15 pixels across: both light up around
# the lesion, too.
LEAST = {"FAnoGANReconstructor": 0.8, "DeepSVDDScorer": 0.8}
METHODS = [
    ContrastTranslator(width=8, n_blocks=1, max_epochs=15),
    DenoisingReconstructor(width=8, depth=2, noise_cells=4, max_epochs=20, lr=3e-3),
    VAEReconstructor(**VAE),
    IntroVAEReconstructor(**VAE, n_warmup_epochs=5),
    LatentSearchTransformer(VAEReconstructor(**VAE), n_steps=20, lr=1e-2),
    GMVAEReconstructor(
        channels=(8, 16), max_epochs=20, batch_size=8, lr=3e-3, n_restoration_steps=40, restoration_lr=2e-3
    ),
    FAnoGANReconstructor(
        channels=(8, 16), n_latents=4, max_epochs=20, batch_size=8, lr=1e-3, encoder_lr=3e-3
    ),
    DeepSVDDScorer(width=8, depth=3, max_epochs=20),
]


@pytest.fixture(scope="module")
def normal(blobs):
    """The ellipses in standard deviations of each contrast."""
    mean, deviation = (f(blobs, axis=(0, 2, 3), keepdims=True) for f in (np.nanmean, np.nanstd))
    return (blobs - mean) / deviation


@pytest.fixture(scope="module")
def patients(normal):
    """Slices with a bright block in a corner that is dark in every normal slice, in the first contrast."""
    X, y = normal[:8].copy(), np.zeros((8, 16, 24), dtype=int)
    X[:, 0, 10:14, 18:22] += 3.0
    y[:, 10:14, 18:22] = 1
    return X, y


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_lesion_ranks_above_normal_tissue(method, normal, patients):
    X, y = patients
    inner = getattr(method, "reconstructor", method)
    inner.set_params(random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)
        fitted = method.fit(normal)
    auc = foreground_roc_auc_score(y, -fitted.score_samples(X))
    assert auc > LEAST.get(type(method).__name__, 0.95)
