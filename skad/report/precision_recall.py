"""Precision and recall, which unlike a ROC curve tell how rare an abnormality is."""

from itertools import cycle

from matplotlib.figure import Figure

from skad.report.figures import _CURVE_STYLES


def plot_precision_recall(curves):
    """Precision over recall, one curve per class or method.

    Parameters
    ----------
    curves : dict of str to OperatingPoints
        Of :meth:`skad.metrics.ScoreHistogram.operating_points`.

    Returns
    -------
    matplotlib.figure.Figure
        The dotted line of a curve is its share of abnormal pixels: the precision of guessing.

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
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axis = figure.subplots()
    for (name, points), style in zip(curves.items(), cycle(_CURVE_STYLES), strict=False):
        recall = points.true_positives / points.n_positives
        precision = points.true_positives / (points.true_positives + points.false_positives)
        axis.plot(recall, precision, label=f"{name}: AP {points.average_precision():.3f}", **style)
        guessing = points.n_positives / (points.n_positives + points.n_negatives)
        axis.axhline(guessing, color=style["color"], linewidth=0.8, linestyle=":")
    axis.set(
        xlabel="recall (share of abnormal pixels found)",
        ylabel="precision (share of pixels found that are abnormal)",
        xlim=(0, 1),
        ylim=(0, 1.01),
        aspect="equal",
    )
    axis.legend(loc="upper right", frameon=False, fontsize="small")
    return figure
