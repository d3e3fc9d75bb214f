"""Pictures to judge a preparation by: is the mask the brain, and do the contrasts agree?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from skad.plotting.drawing import GRAYS_PERCENT, TRUTH_COLOR, figure_or_new
from skad.utils.typing import Array

_N_SLICES = 4
_SQUARES = 6  # of a checkerboard, along the longer side
_PANEL_INCHES = 1.8


def plot_preparation(
    images: Mapping[str, Array], mask: Array, affine: Array, *, figure: Any = None
) -> Figure:
    """Plot axial slices with outlines of the brain mask and checkerboards of each contrast with the first.

    Parameters
    ----------
    images : dict of str to array of shape (nx, ny, nz)
        The contrasts on one grid, whose last axis runs closest to the patient's head; NaN is drawn black.
    mask : bool array of shape (nx, ny, nz)
        The brain.
    affine : array of shape (4, 4)
        Voxel indices to mm.
    figure : matplotlib.figure.Figure, default=None
        To draw into; None makes one.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    See Also
    --------
    skad.preparation.prepare_cohort : Writes the figure for each subject.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.plotting import plot_preparation
    >>> image = np.random.default_rng(0).random((7, 8, 9))
    >>> figure = plot_preparation({"T1w": image, "FLAIR": image}, image > 0.5, np.eye(4))
    >>> len(figure.axes)  # 2 rows of 4 outlines and 4 checkerboards
    16
    """
    grays = {name: _gray(voxels) for name, voxels in images.items()}
    first = next(iter(grays.values()))
    axis, slices = _through(mask, affine)
    width = np.linalg.norm(affine[:3, :3], axis=0)
    across = [i for i in range(3) if i != axis]
    aspect = width[across[1]] / width[across[0]]
    figure = figure_or_new(figure, (2 * _N_SLICES * _PANEL_INCHES, len(images) * _PANEL_INCHES))
    axes = figure.subplots(len(images), 2 * _N_SLICES, squeeze=False)
    for row, (name, gray) in zip(axes, grays.items(), strict=True):
        row[0].set_ylabel(name)
        for k, index in enumerate(slices):
            picture, other, inside = (np.take(each, index, axis).T for each in (gray, first, mask))
            _draw(row[k], picture, aspect)
            if inside.any():
                row[k].contour(inside, [0.5], colors=TRUTH_COLOR, linewidths=0.8)
            board = _checkerboard(picture.shape)
            _draw(row[_N_SLICES + k], np.where(board, picture, other), aspect)
    axes[0, 0].set_title("brain mask", loc="left", fontsize=9)
    axes[0, _N_SLICES].set_title(f"checkerboard with {next(iter(grays))}", loc="left", fontsize=9)
    return figure


def _gray(voxels):
    low, high = np.nanpercentile(voxels, GRAYS_PERCENT) if np.isfinite(voxels).any() else (0, 1)
    return np.nan_to_num(np.clip((voxels - low) / max(high - low, 1e-12), 0, 1))


def _through(mask, affine):
    """The axis that runs closest to the patient's head, and slices along it that show brain."""
    axis = int(np.argmax(np.abs(affine[2, :3]) / np.linalg.norm(affine[:3, :3], axis=0)))
    across = tuple(i for i in range(3) if i != axis)
    visible = np.flatnonzero(mask.any(across)) if mask.any() else np.arange(mask.shape[axis])
    places = np.linspace(0, len(visible) - 1, _N_SLICES + 2)[1:-1].round().astype(int)
    return axis, visible[places]


def _checkerboard(shape):
    side = max(1, max(shape) // _SQUARES)
    rows, columns = (np.arange(n) // side for n in shape)
    return (rows[:, None] + columns) % 2 == 0


def _draw(ax, picture, aspect):
    ax.imshow(picture, cmap="gray", origin="lower", aspect=aspect, vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
