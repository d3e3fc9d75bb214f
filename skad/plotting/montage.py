"""Pictures of maps: the contrasts, the anomaly map, and the contour of the truth where there is one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from skad.io import Volume
from skad.plotting.drawing import GRAYS_PERCENT, MAP_COLORS, TRUTH_COLOR
from skad.preprocessing.reorient import Reorientation
from skad.utils.typing import Array

ORIENTATION = "radiological view: the patient's right is on the left"

_MAP_PERCENT = (50, 99.8)  # half of the foreground stays dark
_MAP_GAMMA = 0.5  # energies have heavy tails: their root spreads what lies between normal and extreme
_SIDES = ((0.03, r"$\mathrm{R}$"), (0.97, r"$\mathrm{L}$"))  # share of the width, marker
_PANEL_INCHES = 2.0
_GAP_INCHES = 0.1
_MARGINS = (0.4, 1.1, 0.4, 0.7)  # left, right, bottom, top, inches: the color bar is on the right
_MARGINS_OF_SEVERAL = (0.4, 0.2, 1.0, 0.7)  # below


def plot_slices(
    images: Array,
    anomaly: Array | dict[str, Array],
    *,
    labels: Array | None = None,
    contrasts: Sequence[str] | None = None,
    n_slices: int = 4,
    pixel_size: tuple[float, float] = (1.0, 1.0),
    title: str | None = None,
    figure: Any = None,
) -> Figure:
    """Plot a montage of axial slices: a row per slice, a column per contrast, anomaly maps last.

    A column is one axis with its slices below each other, at a place computed from the number of slices:
    most of the time of a montage would otherwise go into axes and their layout.

    Parameters
    ----------
    images : array of shape (n_samples, n_contrasts, height, width)
        Row 0 anterior, column 0 the patient's right, as in a `SliceStack`. NaN is drawn black.
    anomaly : array of shape (n_samples, height, width), or dict of str to such arrays
        High is abnormal; NaN in the background. Several maps, by name, stand side by side, each with colors
        of its own.
    labels : integer array of shape (n_samples, height, width), default=None
        The truth: the contour of everything above 0 is drawn.
    contrasts : sequence of str of length n_contrasts, default=None
        Titles of the columns.
    n_slices : int, default=4
        Rows: spread evenly over the slices with a lesion where labels show one, otherwise over the
        foreground.
    pixel_size : tuple of 2 float, default=(1.0, 1.0)
        Height and width of a pixel, mm.
    title : str, default=None
        Title of the figure.
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        The shapes disagree, or the map has no foreground.

    See Also
    --------
    skad.plotting.plot_volume : Slices of a volume.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.plotting import plot_slices
    >>> figure = plot_slices(np.ones((3, 2, 8, 9)), np.ones((3, 8, 9)), n_slices=2)
    >>> len(figure.axes)  # 2 contrasts and the map
    3
    """
    named = anomaly if isinstance(anomaly, dict) else {"anomaly": anomaly}
    images, maps = np.asarray(images), [np.asarray(each) for each in named.values()]
    for each in maps:
        _check_shapes(images, each)
    rows = chosen_slices(maps[0], labels, n_slices)
    columns = np.concatenate([images, np.stack(maps, axis=1)], axis=1)
    columns, labels = _cropped(columns, maps[0], labels)
    aspect = pixel_size[0] / pixel_size[1]
    names = [*(contrasts or [f"contrast {i}" for i in range(images.shape[1])]), *named]
    height, width = columns.shape[2:]
    figure, axes = _columns(figure, names, aspect * len(rows) * height / width, len(maps))
    _name_rows(axes, [f"slice {index}" for index in rows], height)
    tall = np.moveaxis(columns[rows], 1, 0).reshape(len(names), -1, width)
    panels = zip(axes, tall, _styles(columns, len(maps)), strict=True)
    drawn = [axis.imshow(image, aspect=aspect, **style) for axis, image, style in panels]
    if labels is not None and (labels[rows] > 0).any():
        truth = labels[rows].reshape(-1, width) > 0
        for axis in axes:
            axis.contour(truth, levels=[0.5], colors=[TRUTH_COLOR], linewidths=1.0)
    _draw_color_bars(figure, axes, drawn[-len(maps) :])
    legend = "; contour: the truth" if labels is not None and np.any(labels) else ""
    figure.supxlabel(ORIENTATION + legend, fontsize="small")
    figure.suptitle(title or "")
    return figure


def plot_volume(
    volume: Volume,
    anomaly: Array | dict[str, Array],
    *,
    contrasts: Sequence[str] | None = None,
    n_slices: int = 4,
    figure: Any = None,
) -> Figure:
    """Plot a montage of axial slices of a volume and its anomaly map.

    Parameters
    ----------
    volume : Volume
        The images; its labels, if it has any, are drawn as contours.
    anomaly : array of shape ``volume.shape``, or dict of str to such arrays
        Anomaly map, high is abnormal, NaN outside the foreground. Several maps, by name, are shown side by
        side.
    contrasts : sequence of str, default=None
        Contrasts to show; None takes all.
    n_slices : int, default=4
        Number of rows.
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    See Also
    --------
    skad.plotting.plot_slices : Slices of arrays.

    Examples
    --------
    >>> from skad.datasets import make_phantom
    >>> from skad.plotting import plot_volume
    >>> volume, = make_phantom(1, shape=(16, 20, 8), random_state=0)
    >>> figure = plot_volume(volume, volume.contrasts["FLAIR"], n_slices=2)
    >>> len(figure.axes)  # 3 contrasts and the map
    4
    """
    axial = Reorientation.to_axial(volume.affine)
    names = list(volume.contrasts) if contrasts is None else list(contrasts)
    maps = anomaly if isinstance(anomaly, dict) else {"anomaly": anomaly}
    return plot_slices(
        np.stack([axial.forward(volume.contrasts[name]) for name in names], axis=1),
        {name: axial.forward(each) for name, each in maps.items()},
        labels=axial.forward(volume.labels) if volume.has_labels else None,
        contrasts=names,
        n_slices=n_slices,
        pixel_size=axial.along_slices(volume.voxel_size)[1:],
        title=volume.subject,
        figure=figure,
    )


def chosen_slices(anomaly, labels, n_slices):
    """Indices of the slices to draw, top first: evenly among those with a lesion, or with foreground."""
    shown = np.flatnonzero(~np.isnan(anomaly).all(axis=(1, 2)))
    if not len(shown):
        raise ValueError("anomaly should have foreground to draw, got NaN everywhere.")
    if labels is not None and np.any(labels > 0):
        shown = np.flatnonzero((labels > 0).any(axis=(1, 2)))
    positions = (np.arange(n_slices) + 0.5) / n_slices * len(shown)
    return np.unique(shown[positions.astype(int)])[::-1]  # superior on top


def _check_shapes(images, anomaly):
    if images.ndim != 4 or anomaly.shape != (len(images), *images.shape[2:]):
        raise ValueError(
            "images and anomaly should have shapes (n, n_contrasts, height, width) and (n, height, width), "
            f"got {images.shape} and {anomaly.shape}."
        )


def _draw_color_bars(figure, axes, drawn):
    """One beside the only map, or one below each of several."""
    if len(drawn) == 1:
        place = axes[-1].inset_axes((1.05, 0.15, 0.08, 0.7))
        figure.colorbar(drawn[0], cax=place, label="anomaly (high is abnormal)", ticks=MaxNLocator(5))
        return
    for axis, each in zip(axes[-len(drawn) :], drawn, strict=True):
        tall = np.divide(*axis.images[0].get_array().shape) * axis.get_aspect()
        place = axis.inset_axes((0.0, -0.08 / tall, 1.0, 0.05 / tall))
        ends = {"ticks": [each.norm.vmin, each.norm.vmax], "format": "%.3g"}
        figure.colorbar(each, cax=place, orientation="horizontal", label="high is abnormal", **ends)
        for text, side in zip(place.get_xticklabels(), ("left", "right"), strict=True):
            text.set_horizontalalignment(side)  # below the bar, so that those of neighbors stay apart


def _styles(columns, n_maps):
    """How each column is drawn: gray windows of the foreground, then the colors of the maps."""
    columns = np.moveaxis(columns, 1, 0)
    foreground = ~np.isnan(columns[-n_maps])
    windows = [_window(image[foreground], GRAYS_PERCENT) for image in columns[:-n_maps]]
    grays = [{"cmap": "gray", "vmin": black, "vmax": white} for black, white in windows]
    norms = [PowerNorm(_MAP_GAMMA, *_window(each, _MAP_PERCENT), clip=True) for each in columns[-n_maps:]]
    return [*grays, *({"cmap": MAP_COLORS, "norm": norm} for norm in norms)]


def _cropped(columns, anomaly, labels):
    """Without the rows and columns that are background in every slice."""
    foreground = ~np.isnan(anomaly)
    inside = tuple(
        slice(max(where[0] - 2, 0), where[-1] + 3)
        for where in (
            np.flatnonzero(foreground.any(axis=(0, 2))),
            np.flatnonzero(foreground.any(axis=(0, 1))),
        )
    )
    crop = (..., *inside)
    return columns[crop], None if labels is None else labels[crop]


def _window(values, percent):
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, percent)
    return (low, high) if high > low else (low, low + 1)


def _columns(figure, names, height_per_width, n_maps):
    """An axis for every column, at a place known beforehand: nothing has to be laid out."""
    left, right, bottom, top = _MARGINS if n_maps == 1 else _MARGINS_OF_SEVERAL
    width = left + _PANEL_INCHES * len(names) + _GAP_INCHES * (len(names) - 1) + right
    height = bottom + _PANEL_INCHES * height_per_width + top
    places = {
        "left": left / width,
        "right": 1 - right / width,
        "bottom": bottom / height,
        "top": 1 - top / height,
        "wspace": _GAP_INCHES / _PANEL_INCHES,
    }
    figure = Figure((width, height)) if figure is None else figure
    (axes,) = figure.subplots(1, len(names), squeeze=False, gridspec_kw=places)
    for axis, name in zip(axes, names, strict=True):
        axis.set_facecolor("black")
        axis.set_title(name, fontsize="medium", y=1.0)  # a place of its own would be looked for
        axis.xaxis.set_visible(False)
        axis.yaxis.set_visible(axis is axes[0])
    return figure, axes


def _name_rows(axes, names, height):
    """The names of the slices beside the first column; the patient's sides in every slice."""
    middles = height * (np.arange(len(names)) + 0.5) - 0.5
    axes[0].set_yticks(middles, names, rotation=90, va="center")
    axes[0].tick_params(length=0)
    style = {"color": "white", "linestyle": "", "markersize": 5}
    for axis in axes:
        for place, letter in _SIDES:  # as markers: a text is laid out anew in every slice
            style |= {"marker": letter, "transform": axis.get_yaxis_transform()}
            axis.add_artist(Line2D(np.full(len(names), place), middles, **style))
