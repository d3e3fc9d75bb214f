"""Figures for papers, drawn by matplotlib."""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.plotting.calibration import plot_calibration
    from skad.plotting.drawing import save_figure
    from skad.plotting.latent_search import plot_latent_search
    from skad.plotting.lesion_sizes import plot_lesion_sizes
    from skad.plotting.mixture import plot_mixture
    from skad.plotting.montage import plot_slices, plot_volume
    from skad.plotting.precision_recall import plot_precision_recall
    from skad.plotting.preparation import plot_preparation
    from skad.plotting.roc import plot_roc
    from skad.plotting.training import plot_training
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = [
    "plot_calibration",
    "plot_latent_search",
    "plot_lesion_sizes",
    "plot_mixture",
    "plot_precision_recall",
    "plot_preparation",
    "plot_roc",
    "plot_slices",
    "plot_training",
    "plot_volume",
    "save_figure",
]
