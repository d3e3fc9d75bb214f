"""The features of pixels and the Gaussians fitted to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from scipy.stats import chi2

from skad.plotting.drawing import axis_or_new, curve_styles
from skad.utils.typing import Array

SHARE = 0.95  # of a Gaussian in the plane that its ellipse holds


def plot_mixture(
    features: Array,
    mixture: Any,
    *,
    dims: tuple[int, int] = (0, 1),
    names: Sequence[str] | None = None,
    labels: Array | None = None,
    n_points: int = 4000,
    random_state: int = 0,
    ax: Axes | None = None,
) -> Figure:
    """Plot two features of pixels with the 95 % ellipse of each Gaussian (A, Fig. 8a, b).

    A covariance that collapses shows as an ellipse that becomes a line.

    Parameters
    ----------
    features : array of shape (n_samples, n_features, height, width) or (n_pixels, n_features)
        ``transform`` of a fitted `JointDRGMM`, `DAGMMScorer` or `MixtureScorer`; NaN is left out.
    mixture : estimator
        With ``weights_``, ``means_`` and ``covariances_`` of these features; scikit-learn's too.
    dims : (int, int), default=(0, 1)
        The two features to show; the Gaussians are projected on them.
    names : sequence of str, default=None
        Names of all features, for the axes.
    labels : integer array of shape (n_samples, height, width) or (n_pixels,), default=None
        Pixels above 0 are drawn as abnormal, in another color and sign.
    n_points : int, default=4000
        Pixels to draw of each kind, chosen at random.
    random_state : int, default=0
        Seed of the choice of pixels.
    ax : matplotlib.axes.Axes, default=None
        To draw on; None makes a figure.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        The mixture has another number of features.

    See Also
    --------
    skad.scoring.JointDRGMM : Its ``transform`` gives the features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.mixture import GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> figure = plot_mixture(X, GaussianMixture(2, random_state=0).fit(X), dims=(0, 2))
    >>> len(figure.axes[0].patches)
    2
    """
    pixels, abnormal = _pixels(np.asarray(features), labels)
    if pixels.shape[1] != mixture.means_.shape[1]:
        raise ValueError(
            f"features should have the {mixture.means_.shape[1]} features of the mixture, "
            f"got {pixels.shape[1]}."
        )
    axis, rng = axis_or_new(ax, (5, 4.5)), np.random.default_rng(random_state)
    _scatter(axis, _some(pixels[~abnormal][:, dims], n_points, rng), "normal pixels", "0.6", ".")
    if abnormal.any():
        _scatter(axis, _some(pixels[abnormal][:, dims], n_points, rng), "abnormal pixels", "black", "x")
    components = [f"component {k}: {weight:.0%}" for k, weight in enumerate(mixture.weights_, start=1)]
    plane = np.ix_(dims, dims)
    for k, (name, style) in enumerate(curve_styles(components).items()):
        mean, covariance = mixture.means_[k][list(dims)], mixture.covariances_[k][plane]
        axis.add_patch(_ellipse(mean, covariance, fill=False, linewidth=1.8, label=name, **style))
    names = names or [f"feature {i}" for i in range(pixels.shape[1])]
    axis.autoscale_view()
    axis.set(xlabel=names[dims[0]], ylabel=names[dims[1]])
    axis.legend(frameon=False, fontsize="x-small")
    return axis.figure


def _pixels(features, labels):
    """Foreground pixels, (n_pixels, n_features), and which of them are abnormal."""
    if features.ndim == 4:
        features = np.moveaxis(features, 1, -1).reshape(-1, features.shape[1])
    inside = ~np.isnan(features).any(axis=1)
    abnormal = np.zeros(len(features), bool) if labels is None else np.ravel(labels) > 0
    return features[inside], abnormal[inside]


def _some(points, n_points, rng):
    return points if len(points) <= n_points else rng.choice(points, n_points, replace=False)


def _scatter(axis, points, label, color, sign):
    axis.plot(*points.T, sign, label=label, color=color, markersize=3, alpha=0.5, rasterized=True, zorder=0.5)


def _ellipse(mean, covariance, **style):
    """Around the share `SHARE` of a Gaussian in the plane."""
    variances, directions = np.linalg.eigh(covariance)
    axes = 2 * np.sqrt(chi2.ppf(SHARE, df=2) * np.maximum(variances, 0))
    x, y = directions[:, 1]
    return Ellipse(mean, axes[1], axes[0], angle=np.degrees(np.arctan2(y, x)), **style)
