"""Outlines of planted lesions: how the ellipse that bounds a lesion is cut, thinned out or split.

Every outline has ``carve(shapes, tissue)`` -> factor in [0, 1] for the mask of the ellipse, for n lesions at
a time: ``tissue`` (n, 1, height, width) is one smoothed contrast of the slice around each. Real lesions
follow the tissue they grow in; a network that has only seen ellipses looks for ellipses.
"""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.synthetic.placement import smooth_noise, uniform


class Ellipse(BaseEstimator):
    """Outline of synthetic lesions: an ellipse with a warped, soft edge.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this outline.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Ellipse
    >>> from skad.synthetic.placement import draw_shapes
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
    """Outline of synthetic lesions: the parts of an ellipse where smooth noise exceeds a threshold.

    Parameters
    ----------
    threshold : (float, float), default=(-0.5, 0.7)
        Smallest and largest threshold, in standard deviations of the noise; drawn per lesion.
    fineness : (float, float), default=(1.0, 2.5)
        Ratio of the grain of the outline, three quarters of the radius, to that of the noise.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this outline.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Lesions, Islands
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Lesions(outlines=[Islands()]).plant(images, foreground)
    >>> mask.shape
    torch.Size([4, 1, 24, 20])
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
    """Outline of synthetic lesions: the pixels of an ellipse that resemble its center, as in one tissue.

    Parameters
    ----------
    tolerance : (float, float), default=(0.2, 0.8)
        Largest difference from the central pixel in a smoothed contrast, in standard deviations of the
        foreground; drawn per lesion.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this outline.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Lesions, Tissue
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Lesions(outlines=[Tissue()]).plant(images, foreground)
    >>> mask.shape
    torch.Size([4, 1, 24, 20])
    """

    _parameter_constraints = {"tolerance": [tuple, list]}

    def __init__(self, *, tolerance=(0.2, 0.8)):
        self.tolerance = tolerance

    def carve(self, shapes, tissue):
        """Keep what resembles the center; see :meth:`Ellipse.carve`."""
        tolerance = uniform(len(tissue), *self.tolerance, device=tissue.device)[:, None, None, None]
        return (2 - 1.5 * _difference(shapes, tissue).abs() / tolerance).clamp(0, 1)


class Sheet(BaseEstimator):
    """Outline of synthetic lesions: a band of an ellipse along an intensity contour, as on surfaces.

    Parameters
    ----------
    thickness : (float, float), default=(1.0, 4.0)
        Smallest and largest thickness, pixels, drawn per lesion. The contour is that of a smoothed contrast
        through the center of the ellipse.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this outline.

    Notes
    -----
    To first order, the distance from a contour is the difference in intensity divided by the slope.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Lesions, Sheet
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Lesions(outlines=[Sheet()]).plant(images, foreground)
    >>> mask.shape
    torch.Size([4, 1, 24, 20])
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
    """Outline of synthetic lesions: several blobs inside an ellipse.

    Parameters
    ----------
    n_components : int, default=5
        Number of blobs; some overlap.
    size : (float, float), default=(0.15, 0.45)
        Smallest and largest radius of a component, relative to that of the ellipse.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this outline.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Lesions, Components
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Lesions(outlines=[Components()]).plant(images, foreground)
    >>> mask.shape
    torch.Size([4, 1, 24, 20])
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
