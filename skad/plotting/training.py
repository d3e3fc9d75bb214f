"""Training curves: one player's, or those of a game of two."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.utils.validation import check_is_fitted

from skad.plotting.drawing import GUIDE, curve_styles, figure_or_new

_PANEL_INCHES = (3.6, 3.0)
_COLUMNS = 3
# What curves of one panel share: the start or end of their names, and the scale they stand on.
_SCALES = (
    (lambda name: name.endswith("loss"), "objective, mean of the epoch"),
    (lambda name: name.startswith("kl_"), "divergence from the prior (nats)"),
    (lambda name: name.endswith("residual"), "residual, mean of the epoch"),
)
_NAMES = {
    "encoder_loss": "encoder",
    "decoder_loss": "decoder",
    "critic_loss": "critic",
    "generator_loss": "generator",
    "kl_real": "images",
    "kl_reconstructed": "reconstructions",
    "reconstruction_error": "reconstruction error, L_AE",
    "energy": "mean energy of a pixel (nats)",
}


def plot_training(estimator: Any, *, figure: Any = None) -> Figure:
    """Plot the losses of a fitted estimator over the epochs; in adversarial training, of both networks.

    Parameters
    ----------
    estimator : fitted estimator, or dict of str to list of float
        Its ``history_``, or else its ``loss_curve_``; or a history itself. For an `IntroVAEReconstructor` the
        objectives of encoder and decoder share a panel, and so do the divergences of images and of
        reconstructions, with its ``margin`` (K, eq. 4) and the end of its warm-up.
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per scale, all over the epochs, counted from 1.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        The estimator is not fitted.

    See Also
    --------
    skad.training.Training : Records the losses.

    Examples
    --------
    >>> history = {"encoder_loss": [3.0, 2.0], "decoder_loss": [4.0, 5.0], "kl_real": [9.0, 8.0]}
    >>> figure = plot_training(history)
    >>> [axis.get_ylabel() for axis in figure.axes]
    ['objective, mean of the epoch', 'divergence from the prior (nats)']
    """
    panels: dict[str, Any] = {}
    for name, values in _history(estimator).items():
        panels.setdefault(_scale(name), {})[name] = values
    n_columns = min(_COLUMNS, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = figure_or_new(figure, (_PANEL_INCHES[0] * n_columns, _PANEL_INCHES[1] * n_rows))
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in axes[len(panels) :]:
        axis.remove()
    for axis, (scale, curves) in zip(axes, panels.items(), strict=False):
        _draw(axis, scale, curves, estimator)
    return figure


def _history(estimator):
    if isinstance(estimator, dict):
        return estimator
    check_is_fitted(estimator)
    return getattr(estimator, "history_", None) or {"loss": estimator.loss_curve_}


def _scale(name):
    return next((scale for holds, scale in _SCALES if holds(name)), _label(name))


def _label(name):
    return _NAMES.get(name, name.replace("_", " "))


def _draw(axis, scale, curves, estimator):
    for name, style in curve_styles(curves).items():
        values = np.asarray(curves[name], dtype=float)
        label = _label(name) if _label(name) != scale else None  # the axis says it already
        axis.plot(np.arange(1, len(values) + 1), values, label=label, **style)
    if "kl_reconstructed" in curves and hasattr(estimator, "margin"):
        axis.axhline(estimator.margin, label=f"margin m = {estimator.margin:g}", **GUIDE)
    if getattr(estimator, "n_warmup_epochs", 0):
        axis.axvline(estimator.n_warmup_epochs + 0.5, label="the game begins", linestyle=":", **GUIDE)
    axis.set(xlabel="epoch", ylabel=scale)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axis.get_legend_handles_labels()[1]:
        axis.legend(frameon=False, fontsize="small")
