"""The list of fast instances: every estimator of skad is in it, and every check runs over it."""

from sklearn.mixture import GaussianMixture

from skad.reconstruction import ConditionalMixtureReconstructor, ContrastTranslator
from skad.reconstruction.denoising import DenoisingReconstructor
from skad.reconstruction.fanogan import FAnoGANReconstructor
from skad.reconstruction.gmvae import GMVAEReconstructor
from skad.reconstruction.introvae import IntroVAEReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer
from skad.reconstruction.vae import VAEReconstructor
from skad.scoring import (
    ConditionalMixtureScorer,
    DAGMMScorer,
    DeepSVDDScorer,
    EnsembleScorer,
    JointDRGMM,
    SklearnScorer,
)
from skad.scoring.atlas import AtlasScorer
from skad.scoring.gaussian_mixture import MixtureScorer
from skad.scoring.intensity import IntensityScorer
from skad.scoring.patch_embedding import PatchEmbeddingScorer
from skad.scoring.residual import ResidualScorer
from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer

VAE = {"channels": (2, 4), "latent_channels": 2, "max_epochs": 1, "batch_size": 3}

ESTIMATORS = [
    ConditionalMixtureReconstructor(n_components=2),
    ContrastTranslator(width=4, n_blocks=1, max_epochs=1),
    DenoisingReconstructor(width=2, depth=2, noise_cells=4, max_epochs=1),
    VAEReconstructor(**VAE),
    IntroVAEReconstructor(**VAE),
    GMVAEReconstructor(channels=(2, 4), n_restoration_steps=3, max_epochs=1, batch_size=3),
    FAnoGANReconstructor(channels=(2, 4), n_latents=3, n_critic=3, max_epochs=1, batch_size=3),
    LatentSearchTransformer(VAEReconstructor(**VAE), n_steps=2),
    EnsembleScorer([("intensity", IntensityScorer()), ("residual", IntensityScorer(sign=-1, smoothing=0))]),
    JointDRGMM(n_components=2, width=4, max_epochs=1),
    MixtureScorer(n_components=2),
    ConditionalMixtureScorer(n_components=2),
    ConditionalMixtureScorer(contrast=[1, 0], sign=[1, 0], smoothing=[0.5, 1.0], trimmed=0.1, n_components=1),
    DAGMMScorer(n_components=2, width=4, max_epochs=1),
    DAGMMScorer(convolutional=True, n_components=2, width=4, max_epochs=1),
    DeepSVDDScorer(n_features=3, width=4, depth=2, max_epochs=1),
    DeepSVDDScorer(objective="soft-boundary", n_features=3, width=4, depth=2, max_epochs=1),
    SklearnScorer(GaussianMixture()),
    IntensityScorer(),
    AtlasScorer(),
    PatchEmbeddingScorer(channels=(2, 4), n_hidden=8, n_outputs=4, patch_size=12, n_patches=4, max_epochs=1),
    ResidualScorer(),
    SyntheticAnomalyScorer(width=2, depth=2, max_epochs=1),
]

# Height and width of the slices of the checks, for the estimators that cannot take 20 x 24.
IMAGE_SIZES = {}
