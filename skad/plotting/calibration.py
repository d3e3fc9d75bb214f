"""Does a calibrated detector keep its promise on normal patients?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skad.plotting.drawing import GUIDE, axis_or_new, check_names, curve_styles
from skad.utils.typing import Array

_POINTS = 400  # of a curve, at most
_UNITS = {
    "pixel": "share of a normal patient's pixels",
    "patient": "share of normal patients",
    "volume": "share of normal patients",  # another name of "patient"
}


def plot_calibration(
    p_values: Mapping[str, Sequence[Array]], *, unit: str = "pixel", ax: Axes | None = None
) -> Figure:
    """Plot the observed against the nominal false-positive rate on normal patients.

    Parameters
    ----------
    p_values : dict of str to list of array
        One array of p-values per normal patient, such as ``p_value_map`` of a
        :class:`skad.calibration.ConformalCalibrator`, of patients that it was not calibrated on; NaN is left
        out. One curve per name.
    unit : {"pixel", "patient"}, default="pixel"
        What a rate counts: the pixels of a patient that are called abnormal, or the patients with any such
        pixel, as the calibrator's ``unit``.
    ax : matplotlib.axes.Axes, default=None
        To draw on; None makes a figure.

    Returns
    -------
    matplotlib.figure.Figure
        Mean over the patients, and a band of 1.96 standard errors. A promise is kept on and below the
        diagonal.

    Raises
    ------
    ValueError
        There is no curve, or an unknown unit.

    See Also
    --------
    skad.calibration.ConformalCalibrator : Gives the p-values.

    Examples
    --------
    >>> import numpy as np
    >>> figure = plot_calibration({"phantom": [np.array([0.1, 0.5, 1.0, 1.0]), np.array([0.5, 1.0])]})
    >>> figure.axes[0].get_lines()[0].get_xydata()
    array([[0.1  , 0.125],
           [0.5  , 0.5  ],
           [1.   , 1.   ]])
    """
    check_names(p_values, "p_values")
    if unit not in _UNITS:
        raise ValueError(f"unit should be one of {', '.join(_UNITS)}, got {unit!r}.")
    axis = axis_or_new(ax, (4.5, 4))
    lowest = 1.0
    for name, style in curve_styles(p_values).items():
        promised, realized = _rates(p_values[name], unit)
        mean, error = realized.mean(axis=0), 1.96 * realized.std(axis=0) / np.sqrt(len(realized))
        axis.plot(promised, mean, label=f"{name}, {len(realized)} patients", **style)
        axis.fill_between(promised, mean - error, mean + error, color=style["color"], alpha=0.15, linewidth=0)
        lowest = min(lowest, promised[0] / 3)
    axis.plot([lowest, 1], [lowest, 1], label="as promised", **GUIDE)
    axis.set(
        xscale="log",
        yscale="log",
        xlim=(lowest, 1),
        ylim=(lowest, 1.1),
        xlabel=f"promised false-positive rate\n({_UNITS[unit]})",
        ylabel="realized false-positive rate",
    )
    axis.legend(loc="upper left", frameon=False, fontsize="small")
    return axis.figure


def _rates(patients, unit):
    """Promised rates at which anything changes, and what each patient realizes at them."""
    patients = [np.sort(each[~np.isnan(each)]) for each in map(np.ravel, patients)]
    promised = np.unique(np.concatenate(patients))
    if len(promised) > _POINTS:  # evenly in their logarithm, the smallest among them
        promised = np.unique(promised[np.searchsorted(promised, np.geomspace(*promised[[0, -1]], _POINTS))])
    counts = np.array([np.searchsorted(each, promised, side="right") for each in patients])
    sizes = np.array([[len(each)] for each in patients])
    return promised, counts / sizes if unit == "pixel" else (counts > 0).astype(float)
