"""Figures of maps and scores, and the report that holds them."""

from skad.report.figures import plot_roc, plot_slices, plot_volume, save_figure
from skad.report.html import SubjectReport, write_html
from skad.report.precision_recall import plot_precision_recall
from skad.report.viewer import viewer_data

__all__ = [
    "SubjectReport",
    "plot_precision_recall",
    "plot_roc",
    "plot_slices",
    "plot_volume",
    "save_figure",
    "viewer_data",
    "write_html",
]
