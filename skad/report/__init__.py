"""Figures for papers, and the report of a cohort in one HTML file."""

from skad.report.calibration import plot_calibration
from skad.report.drawing import save_figure
from skad.report.html import SubjectReport, write_html
from skad.report.latent_search import plot_latent_search
from skad.report.lesion_sizes import plot_lesion_sizes
from skad.report.mixture import plot_mixture
from skad.report.montage import plot_slices, plot_volume
from skad.report.precision_recall import plot_precision_recall
from skad.report.roc import plot_roc
from skad.report.training import plot_training
from skad.report.viewer import viewer_data

__all__ = [
    "SubjectReport",
    "plot_calibration",
    "plot_latent_search",
    "plot_lesion_sizes",
    "plot_mixture",
    "plot_precision_recall",
    "plot_roc",
    "plot_slices",
    "plot_training",
    "plot_volume",
    "save_figure",
    "viewer_data",
    "write_html",
]
