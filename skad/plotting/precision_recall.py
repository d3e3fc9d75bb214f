"""Precision and recall, which unlike a ROC curve tell how rare an abnormality is."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skad.metrics.operating_points import OperatingPoints
from skad.plotting.drawing import axis_or_new, check_names, curve_styles


def plot_precision_recall(curves: Mapping[str, OperatingPoints], *, ax: Axes | None = None) -> Figure:
    """Plot precision against recall, one curve per class or method.

    Parameters
    ----------
    curves : dict of str to OperatingPoints
        Of :meth:`skad.metrics.ScoreHistogram.operating_points`.
    ax : matplotlib.axes.Axes, default=None
        To draw on; None makes a figure.

    Returns
    -------
    matplotlib.figure.Figure
        The dotted line of a curve is its share of abnormal pixels: the precision of guessing.

    Raises
    ------
    ValueError
        There is no curve.

    See Also
    --------
    skad.metrics.ScoreHistogram : Gives the operating points.
    skad.plotting.plot_roc : ROC curves.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.metrics import ScoreHistogram
    >>> histogram = ScoreHistogram()
    >>> _ = histogram.update(np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0]))
    >>> figure = plot_precision_recall({"any": histogram.operating_points()})
    >>> figure.axes[0].get_legend().get_texts()[0].get_text()
    'any: AP 1.000'
    """
    check_names(curves, "curves")
    axis = axis_or_new(ax, (4.5, 4))
    for name, style in curve_styles(curves).items():
        points = curves[name]
        recall = points.true_positives / points.n_positives
        precision = points.true_positives / (points.true_positives + points.false_positives)
        axis.plot(recall, precision, label=f"{name}: AP {points.average_precision():.3f}", **style)
        guessing = points.n_positives / (points.n_positives + points.n_negatives)
        axis.axhline(guessing, color=style["color"], linewidth=0.8, linestyle=":")
    axis.set(
        xlabel="recall (share of abnormal pixels found)",
        ylabel="precision (share abnormal of those found)",
        xlim=(0, 1),
        ylim=(0, 1.01),
        aspect="equal",
    )
    axis.legend(loc="best", frameon=False, fontsize="small")
    return axis.figure
