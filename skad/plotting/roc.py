"""ROC curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from skad.plotting.drawing import GUIDE, check_names, curve_styles, figure_or_new


def plot_roc(curves: Mapping[str, Any], *, ax: Any = None) -> Figure:
    """Plot ROC curves in one panel, or in one panel per class (K, Fig. 6).

    Parameters
    ----------
    curves : dict of str to (fpr, tpr, roc_auc) or (fpr, tpr, roc_auc, sd)
        One curve per name, such as a class or a method; `skad.metrics.mean_roc_curve` gives one with its
        standard deviation over volumes. Or a dict of such dicts, ``{class: {method: curve}}``: one panel per
        class, in which a method keeps its color and line.
    ax : matplotlib.axes.Axes, or sequence of them with one per class, default=None
        To draw on; None makes a figure.

    Returns
    -------
    matplotlib.figure.Figure
        Up to seven curves differ in color to every color vision; neighbors differ in line as well.

    Raises
    ------
    ValueError
        There is no curve, or another number of axes than of classes.

    See Also
    --------
    skad.metrics.mean_roc_curve : Gives a curve with its standard deviation.
    skad.plotting.plot_precision_recall : Precision-recall curves.

    Examples
    --------
    >>> from skad.plotting import plot_roc
    >>> curve = ([0, 0.2, 1], [0, 0.8, 1], 0.8)
    >>> figure = plot_roc({"metastasis": {"VAE": curve, "IntroVAE": curve}, "cavity": {"VAE": curve}})
    >>> [axis.get_title() for axis in figure.axes]
    ['metastasis', 'cavity']
    """
    panels = curves if curves and all(isinstance(c, dict) for c in curves.values()) else {"": curves}
    styles = curve_styles(name for panel in panels.values() for name in panel)
    check_names(styles, "curves")
    axes = _new_axes(len(panels)) if ax is None else np.ravel(ax)
    if len(axes) != len(panels):
        raise ValueError(f"ax should hold one axis for each of {len(panels)} panels, got {len(axes)}.")
    for axis, (title, panel) in zip(axes, panels.items(), strict=True):
        _draw(axis, title, panel, styles)
    return axes[0].figure


def _new_axes(n_panels):
    n_columns = min(2, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure = figure_or_new(None, (4.5 * n_columns, 4 * n_rows))
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in axes[n_panels:]:
        axis.remove()
    return axes[:n_panels]


def _draw(axis, title, curves, styles):
    for name, (fpr, tpr, area, *sd) in curves.items():
        spread = f" ± {sd[0]:.3f}" if sd else ""
        axis.plot(fpr, tpr, label=f"{name}: AUC {area:.3f}{spread}", **styles[name])
    axis.plot([0, 1], [0, 1], **GUIDE)
    axis.set(
        title=title,
        xlabel="false positive rate (share of normal pixels)",
        ylabel="true positive rate (share of abnormal pixels)",
        xlim=(0, 1),
        ylim=(0, 1.01),
        aspect="equal",
    )
    axis.legend(loc="lower right", frameon=False, fontsize="small")
