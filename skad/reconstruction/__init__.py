"""Image -> pair of the image and its normal reference."""

from skad.reconstruction.contrast_translator import ContrastTranslator
from skad.reconstruction.denoising import DenoisingReconstructor
from skad.reconstruction.fanogan import FAnoGANReconstructor
from skad.reconstruction.gmvae import GMVAEReconstructor
from skad.reconstruction.introvae import IntroVAEReconstructor
from skad.reconstruction.latent_search import LatentSearchTransformer
from skad.reconstruction.vae import VAEReconstructor

__all__ = [
    "ContrastTranslator",
    "DenoisingReconstructor",
    "FAnoGANReconstructor",
    "GMVAEReconstructor",
    "IntroVAEReconstructor",
    "LatentSearchTransformer",
    "VAEReconstructor",
]
