"""How well lesions of every size are told from normal tissue."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skad.plotting.drawing import axis_or_new, check_names, curve_styles


def plot_lesion_sizes(
    reports: Mapping[str, Sequence[Mapping[str, Any]]], *, ax: Axes | None = None
) -> Figure:
    """Plot the ROC-AUC of slices against the size of their lesion, with the number of slices (A, Fig. 7).

    Parameters
    ----------
    reports : dict of str to list of dict
        Rows of :func:`skad.metrics.lesion_size_report` per method or cohort, all made with one ``step``.
        ``roc_auc_sd``, where the rows have it, is drawn as a band.
    ax : matplotlib.axes.Axes, default=None
        To draw on, with a second scale on its right for the counts; None makes a figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        There is no report.

    See Also
    --------
    skad.metrics.lesion_size_report : Gives the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import lesion_size_report
    >>> y, anomaly = np.array([[[0, 0, 1]], [[0, 1, 1]]]), np.array([[[1, 2, 3]], [[2, 3, 1.0]]])
    >>> figure = plot_lesion_sizes({"ADM": lesion_size_report(y, anomaly, step=1)})
    >>> figure.axes[0].get_lines()[0].get_ydata()
    array([1. , 0.5])
    """
    check_names(reports, "reports")
    axis = axis_or_new(ax, (8, 4.5))
    slices = {(row["smallest"], row["largest"]): row["n_slices"] for rows in reports.values() for row in rows}
    ranges = sorted(slices)
    places = np.arange(len(ranges))
    _draw_counts(axis, places, [slices[each] for each in ranges])
    for name, style in curve_styles(reports).items():
        rows = {(row["smallest"], row["largest"]): row for row in reports[name]}
        mean, sd = (
            np.array([rows[each].get(key, np.nan) if each in rows else np.nan for each in ranges])
            for key in ("roc_auc", "roc_auc_sd")
        )
        axis.plot(places, mean, marker="o", markersize=3, label=name, **style)
        if not np.isnan(sd).all():
            axis.fill_between(places, mean - sd, mean + sd, color=style["color"], alpha=0.15, linewidth=0)
    labels = [f"{low} to {high}" for low, high in ranges]
    axis.set_xticks(places, labels, rotation=45, ha="right")
    axis.set(xlabel="size of the lesion in a slice (pixels)", ylabel="ROC-AUC, mean of the slices")
    axis.set_ylim(top=1.005)
    axis.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.15, 1))
    return axis.figure


def _draw_counts(axis, places, counts):
    """Bars behind the curves, on a scale of their own."""
    behind = axis.twinx()
    behind.bar(places, counts, color="0.88")
    behind.set_ylabel("slices (bars)")
    axis.set_zorder(behind.get_zorder() + 1)
    axis.patch.set_visible(False)
