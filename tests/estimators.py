"""The list of fast instances: every estimator of skad is in it, and every check runs over it."""

from skad.reconstruction import ContrastTranslator
from skad.reconstruction.denoising import DenoisingReconstructor
from skad.reconstruction.introvae import IntroVAEReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer
from skad.reconstruction.vae import VAEReconstructor
from skad.scoring import JointDRGMM
from skad.scoring.gaussian_mixture import MixtureScorer
from skad.scoring.intensity import IntensityScorer
from skad.scoring.residual import ResidualScorer
from skad.scoring.synthetic_anomaly import SyntheticAnomalyScorer

VAE = {"channels": (2, 4), "latent_channels": 2, "max_epochs": 1, "batch_size": 3}

ESTIMATORS = [
    ContrastTranslator(width=4, n_blocks=1, max_epochs=1),
    DenoisingReconstructor(width=2, depth=2, noise_cells=4, max_epochs=1),
    VAEReconstructor(**VAE),
    IntroVAEReconstructor(**VAE),
    LatentSearchTransformer(VAEReconstructor(**VAE), n_steps=2),
    JointDRGMM(n_components=2, width=4, max_epochs=1),
    MixtureScorer(n_components=2),
    IntensityScorer(),
    ResidualScorer(),
    SyntheticAnomalyScorer(width=2, depth=2, max_epochs=1),
]

# Height and width of the slices of the checks, for the estimators that cannot take 20 x 24.
IMAGE_SIZES = {}
