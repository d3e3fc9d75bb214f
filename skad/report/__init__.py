"""Figures of maps and scores."""

from skad.report.figures import plot_roc, plot_slices, plot_volume, save_figure

__all__ = ["plot_roc", "plot_slices", "plot_volume", "save_figure"]
