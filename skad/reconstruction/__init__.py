"""Image -> pair of the image and its normal reference."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.reconstruction.conditional_mixture import ConditionalMixtureReconstructor
    from skad.reconstruction.contrast_translator import ContrastTranslator
    from skad.reconstruction.denoising import DenoisingReconstructor
    from skad.reconstruction.fanogan import FAnoGANReconstructor
    from skad.reconstruction.gmvae import GMVAEReconstructor
    from skad.reconstruction.introvae import IntroVAEReconstructor
    from skad.reconstruction.latent_search import LatentSearchTransformer
    from skad.reconstruction.vae import VAEReconstructor
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "ConditionalMixtureReconstructor",
    "ContrastTranslator",
    "DenoisingReconstructor",
    "FAnoGANReconstructor",
    "GMVAEReconstructor",
    "IntroVAEReconstructor",
    "LatentSearchTransformer",
    "VAEReconstructor",
]
