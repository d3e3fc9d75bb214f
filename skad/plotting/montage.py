"""Pictures of maps: the contrasts, the anomaly map, and the contour of the truth where there is one."""

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator

from skad.plotting.drawing import GRAYS_PERCENT, MAP_COLORS, TRUTH_COLOR, figure_or_new
from skad.preprocessing.reorient import Reorientation

ORIENTATION = "radiological view: the patient's right is on the left"

_MAP_PERCENT = (50, 99.8)  # half of the foreground stays dark
_MAP_GAMMA = 0.5  # energies have heavy tails: their root spreads what lies between normal and extreme
_PANEL_INCHES = 2.0


def plot_slices(
    images,
    anomaly,
    *,
    labels=None,
    contrasts=None,
    n_slices=4,
    pixel_size=(1.0, 1.0),
    title=None,
    figure=None,
):
    """A montage of axial slices: one row per slice, one column per contrast, anomaly maps last.

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
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        The shapes disagree, or the map has no foreground.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.plotting import plot_slices
    >>> figure = plot_slices(np.ones((3, 2, 8, 9)), np.ones((3, 8, 9)), n_slices=2)
    >>> len(figure.axes)  # 2 slices of 2 contrasts and a map, and the color bar
    7
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
    figure, axes = _grid(figure, len(rows), names, aspect * columns.shape[2] / columns.shape[3])
    styles = _styles(columns, len(maps))
    for row, index in zip(axes, rows, strict=True):
        row[0].set_ylabel(f"slice {index}")
        panels = zip(row, columns[index], styles, strict=True)
        drawn = [axis.imshow(image, aspect=aspect, **style) for axis, image, style in panels]
        if labels is not None and (labels[index] > 0).any():
            for axis in row:
                axis.contour(labels[index] > 0, levels=[0.5], colors=[TRUTH_COLOR], linewidths=1.0)
    _draw_color_bars(figure, axes, drawn[-len(maps) :])
    truth = "; contour: the truth" if labels is not None and np.any(labels) else ""
    figure.supxlabel(ORIENTATION + truth, fontsize="small")
    figure.suptitle(title or "")
    return figure


def plot_volume(volume, anomaly, *, contrasts=None, n_slices=4, figure=None):
    """A montage of a volume and its anomaly map, on the volume's own grid as axial slices.

    Parameters
    ----------
    volume : Volume
        Its labels, where it has some, give the contour.
    anomaly : array of shape ``volume.shape``, or dict of str to such arrays
        As in :func:`plot_slices`; NaN outside the foreground.
    contrasts : sequence of str, default=None
        None takes all.
    n_slices : int, default=4
    figure : matplotlib.figure.Figure or SubFigure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
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
        label = "anomaly (high is abnormal)"
        figure.colorbar(drawn[0], ax=axes[:, -1], label=label, ticks=MaxNLocator(5), shrink=0.8)
        return
    for column, each in zip(axes.T[-len(drawn) :], drawn, strict=True):
        ends = {"ticks": [each.norm.vmin, each.norm.vmax], "format": "%.3g"}
        figure.colorbar(each, ax=column, location="bottom", label="high is abnormal", **ends)


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


def _grid(figure, n_rows, names, height_per_width):
    size = (_PANEL_INCHES * len(names) + 0.8, _PANEL_INCHES * height_per_width * n_rows + 0.8)
    figure = figure_or_new(figure, size)
    axes = figure.subplots(n_rows, len(names), squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], facecolor="black")
    for axis, name in zip(axes[0], names, strict=True):
        axis.set_title(name, fontsize="medium")
        for place, letter in ((0.03, "R"), (0.97, "L")):
            axis.text(
                place,
                0.5,
                letter,
                color="white",
                fontsize="x-small",
                ha="center",
                va="center",
                transform=axis.transAxes,
            )
    return figure, axes
