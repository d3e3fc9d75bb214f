"""Outlines of planted lesions: how the ellipse that bounds a lesion is cut, thinned out or split.

Every outline has ``carve(shapes, tissue)`` -> factor in [0, 1] for the mask of the ellipse, for n lesions at
a time: ``tissue`` (n, 1, height, width) is one smoothed contrast of the slice around each. Real lesions
follow the tissue they grow in; a network that has only seen ellipses looks for ellipses.
"""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.synthetic.shapes import smooth_noise, uniform


class Ellipse(BaseEstimator):
    """The whole ellipse, with its warped and soft edge.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Ellipse
    >>> from skad.synthetic.shapes import draw_shapes
    >>> shapes = draw_shapes(torch.ones(3, 1, 7, 9, dtype=torch.bool), radius=(1.0, 4.0))
    >>> Ellipse().carve(shapes, torch.rand(3, 1, 7, 9)).shape
    torch.Size([3, 1, 7, 9])
    """

    _parameter_constraints: dict = {}

    def carve(self, shapes, tissue):
        """Keep everything.

        Parameters
        ----------
        shapes : Shapes
            The ellipses of n lesions.
        tissue : Tensor of shape (n, 1, height, width)
            A smoothed contrast of the slice around each, in standard deviations of its foreground.

        Returns
        -------
        Tensor of shape (n, 1, height, width)
        """
        return torch.ones_like(shapes.mask)


class Islands(BaseEstimator):
    """The parts of the ellipse where smooth noise exceeds a threshold: patchy, ragged lesions.

    Parameters
    ----------
    threshold : (float, float), default=(-0.5, 0.7)
        Smallest and largest threshold, in standard deviations of the noise; drawn per lesion.
    fineness : (float, float), default=(1.0, 2.5)
        How much finer the noise is than that of the outline, whose grain is three quarters of the radius.
    """

    _parameter_constraints = {"threshold": [tuple, list], "fineness": [tuple, list]}

    def __init__(self, *, threshold=(-0.5, 0.7), fineness=(1.0, 2.5)):
        self.threshold = threshold
        self.fineness = fineness

    def carve(self, shapes, tissue):
        """Keep what exceeds the threshold; see :meth:`Ellipse.carve`."""
        n, device = len(shapes.mask), shapes.mask.device
        fineness = uniform(n, *self.fineness, device=device)[:, None, None, None]
        threshold = uniform(n, *self.threshold, device=device)[:, None, None, None]
        return (0.5 + 4 * (smooth_noise(shapes.frame * fineness, 1) - threshold)).clamp(0, 1)


class Tissue(BaseEstimator):
    """The pixels of the ellipse that resemble its center in a contrast: lesions that follow a tissue.

    Parameters
    ----------
    tolerance : (float, float), default=(0.2, 0.8)
        Largest difference from the central pixel in a smoothed contrast, in standard deviations of the
        foreground; drawn per lesion.
    """

    _parameter_constraints = {"tolerance": [tuple, list]}

    def __init__(self, *, tolerance=(0.2, 0.8)):
        self.tolerance = tolerance

    def carve(self, shapes, tissue):
        """Keep what resembles the center; see :meth:`Ellipse.carve`."""
        tolerance = uniform(len(tissue), *self.tolerance, device=tissue.device)[:, None, None, None]
        return (2 - 1.5 * _difference(shapes, tissue).abs() / tolerance).clamp(0, 1)


class Sheet(BaseEstimator):
    """A band of the ellipse along the contour through its center: lesions on the surface of a structure.

    Parameters
    ----------
    thickness : (float, float), default=(1.0, 4.0)
        Pixels, drawn per lesion. The contour is that of a smoothed contrast.

    Notes
    -----
    The distance from a contour is the difference in intensity over the slope, to first order.
    """

    _parameter_constraints = {"thickness": [tuple, list]}

    def __init__(self, *, thickness=(1.0, 4.0)):
        self.thickness = thickness

    def carve(self, shapes, tissue):
        """Keep what is near the contour; see :meth:`Ellipse.carve`."""
        thickness = uniform(len(tissue), *self.thickness, device=tissue.device)[:, None, None, None]
        distance = _difference(shapes, tissue).abs() / _slope(tissue).clamp(min=0.02)
        return (1 + thickness / 2 - distance).clamp(0, 1)


class Components(BaseEstimator):
    """Several blobs inside the ellipse.

    Parameters
    ----------
    n_components : int, default=5
        How many are drawn; some overlap.
    size : (float, float), default=(0.15, 0.45)
        Smallest and largest radius of a component, relative to that of the ellipse.
    """

    _parameter_constraints = {"n_components": [Interval(Real, 1, None, closed="left")], "size": [tuple, list]}

    def __init__(self, *, n_components=5, size=(0.15, 0.45)):
        self.n_components = n_components
        self.size = size

    def carve(self, shapes, tissue):
        """Keep the components; see :meth:`Ellipse.carve`."""
        n, device = len(shapes.mask), shapes.mask.device
        depth = torch.full_like(shapes.mask[:, 0], -torch.inf)
        for i in range(self.n_components):
            place = uniform((n, 1, 1, 2), -0.8, 0.8, device=device) * (i > 0)  # one holds the center
            radius = uniform((n, 1, 1), *self.size, device=device)
            distance = torch.linalg.vector_norm(shapes.frame - place, dim=-1)
            depth = torch.maximum(depth, 1 - distance / radius)
        return (0.5 + 3 * depth).clamp(0, 1)[:, None]


def _difference(shapes, tissue):
    """The contrast around every lesion minus its value at the lesion's center."""
    return tissue - tissue.flatten(1).gather(1, shapes.center[:, None])[:, :, None, None]


def _slope(images):
    """Length of the gradient, per pixel, by central differences."""
    down = (images.roll(-1, -2) - images.roll(1, -2)) / 2
    right = (images.roll(-1, -1) - images.roll(1, -1)) / 2
    return (down.square() + right.square()).sqrt()
