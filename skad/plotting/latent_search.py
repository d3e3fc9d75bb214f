"""What a search for better latents does to normal references."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from skad.plotting.drawing import MAP_COLORS, figure_or_new
from skad.utils.typing import Array

_PANEL_INCHES = 1.9
_COLUMNS = ("image", "encoded", "searched", "residual, encoded", "residual, searched")


def plot_latent_search(
    images: Array,
    before: Array,
    after: Array,
    *,
    curve: Array | None = None,
    contrast: int = 0,
    figure: Any = None,
) -> Figure:
    """Plot references before and after the latent search, and the decrease of the error (K, Fig. 1b).

    Parameters
    ----------
    images, before, after : array of shape (n_samples, n_contrasts, height, width)
        Images, references decoded from the encoded latents (``reconstructor_.reconstruct``) and from the
        latents found (``reconstruct`` of a `LatentSearchTransformer`). NaN is drawn black. One row each: give
        a few.
    curve : array of shape (n_samples, n_steps + 1), default=None
        Of :meth:`skad.reconstruction.LatentSearchTransformer.search_curve`; drawn below.
    contrast : int, default=0
        The one to show.
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
        The grays of a row and the colors of all residuals are the same; below a residual stands its mean
        over the foreground.

    Raises
    ------
    ValueError
        The shapes disagree.

    See Also
    --------
    skad.reconstruction.LatentSearchTransformer : The search.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.ones((2, 1, 4, 5))
    >>> figure = plot_latent_search(X, 0.5 * X, 0.9 * X)
    >>> [axis.get_xlabel() for axis in figure.axes[3:5]]
    ['mean 0.5', 'mean 0.1']
    """
    images, before, after = (np.asarray(each) for each in (images, before, after))
    if not (images.ndim == 4 and images.shape == before.shape == after.shape):
        raise ValueError(
            "images, before and after should have one shape (n_samples, n_contrasts, height, width), got "
            f"{images.shape}, {before.shape} and {after.shape}."
        )
    pictures = np.stack([each[:, contrast] for each in (images, before, after)], axis=1)
    n, _, height, width = pictures.shape
    size = (_PANEL_INCHES * len(_COLUMNS) + 0.8, _PANEL_INCHES * height / width * n + 0.8)
    below = 0 if curve is None else 2.4
    figure = figure_or_new(figure, (size[0], size[1] + below))
    if curve is None:
        _draw_pictures(figure, pictures)
        return figure
    above, under = figure.subfigures(2, 1, height_ratios=(size[1], below))
    _draw_pictures(above, pictures)
    _draw_curves(under.subplots(), np.asarray(curve))
    return figure


def _draw_pictures(figure, pictures):
    residuals = np.abs(pictures[:, :1] - pictures[:, 1:])
    brightest = np.nanpercentile(residuals, 99.5) or 1.0
    axes = figure.subplots(len(pictures), len(_COLUMNS), squeeze=False)
    for axis, title in zip(axes[0], _COLUMNS, strict=True):
        axis.set_title(title, fontsize="medium")
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], facecolor="black")
    for row, grays, colors in zip(axes, pictures, residuals, strict=True):
        black, white = np.nanpercentile(grays[0], (1, 99.5))
        for axis, image in zip(row[:3], grays, strict=True):
            axis.imshow(image, cmap="gray", vmin=black, vmax=white)
        for axis, residual in zip(row[3:], colors, strict=True):
            drawn = axis.imshow(residual, cmap=MAP_COLORS, vmin=0, vmax=brightest)
            axis.set_xlabel(f"mean {np.nanmean(residual):.3g}", fontsize="small")
    figure.colorbar(drawn, ax=axes[:, 3:], label="|image - reference| (units of the image)", shrink=0.8)


def _draw_curves(axis, curve):
    steps = np.arange(curve.shape[1])
    axis.plot(steps, curve.T, color="0.75", linewidth=0.8)
    axis.plot(steps, curve.mean(axis=0), color="black", label=f"mean of {len(curve)} images")
    axis.set(xlabel="step of the search", ylabel="reconstruction error, L_AE", xlim=(0, steps[-1]))
    axis.legend(frameon=False, fontsize="small")
