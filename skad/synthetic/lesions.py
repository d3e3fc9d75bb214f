"""Lesions that follow tissue, resemble each other within a slice, and come in all sizes."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.nn.gaussian_blur import gaussian_blur
from skad.synthetic.appearance import Appearance
from skad.synthetic.blobs import foreground_spread
from skad.synthetic.mass_effect import push_tissue
from skad.synthetic.outlines import Components, Ellipse, Islands, Sheet, Tissue
from skad.synthetic.placement import draw_shapes, pixel_scale, to_device

OUTLINES = (Ellipse(), Islands(), Tissue(), Tissue(), Sheet(), Components())
_SMOOTHING = 1.0  # pixels at 128 x 128, of the tissue that outlines follow


class Lesions(BaseEstimator):
    """Synthetic lesions: several per slice, with a choice of outlines and appearance.

    Parameters
    ----------
    outlines : "auto" or sequence of outlines, default="auto"
        What a lesion's ellipse is carved to; each lesion gets one, all equally likely, and one that is named
        twice is drawn twice as often. "auto" draws every outline of :mod:`skad.synthetic`, :class:`Tissue`
        twice as often as the others.
    appearance : "auto" or Appearance, default="auto"
        What is inside a lesion. "auto" is ``Appearance()``.
    n_lesions : (int, int), default=(1, 6)
        Fewest and most lesions per slice.
    radius : (float, float), default=(1.0, 24.0)
        Radius of the ellipse in pixels at 128 x 128, log-uniform; scaled with the image.
    alike : float, default=0.6
        Share of the slices whose lesions look alike: same shift, structure and texture.
    mass_effect : float, default=0.0
        Share of the slices whose first lesion pushes the tissue around it away. That tissue moves but is not
        part of the mask.

    See Also
    --------
    Blobs : Ellipses only.
    plant_families : Several families, and slices that are left clean.

    Notes
    -----
    We, after FPI, DRAEM and DISYRE. Where two lesions overlap, the later one is planted upon the earlier one.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Lesions
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Lesions().plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
    """

    _parameter_constraints = {
        "outlines": [tuple, list, str],
        "appearance": [Appearance, str],
        "n_lesions": [tuple, list],
        "radius": [tuple, list],
        "alike": [Interval(Real, 0, 1, closed="both")],
        "mass_effect": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        *,
        outlines="auto",
        appearance="auto",
        n_lesions=(1, 6),
        radius=(1.0, 24.0),
        alike=0.6,
        mass_effect=0.0,
    ):
        self.outlines = outlines
        self.appearance = appearance
        self.n_lesions = n_lesions
        self.radius = radius
        self.alike = alike
        self.mass_effect = mass_effect

    def plant(self, images, foreground):
        """Plant lesions into normal slices.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Finite everywhere.
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        images : Tensor of shape (n, n_contrasts, height, width)
            Changed where the mask is not zero, and around a lesion with mass effect.
        mask : Tensor of shape (n, 1, height, width)
            0 normal, 1 lesion, between on the rim.

        Raises
        ------
        ValueError
            ``n_lesions``, ``radius``, ``outlines`` or the signs of the appearance make no sense.
        """
        slices, groups = self._draw_counts(len(images))
        sources = self._sources(slices, groups, len(images))
        rows = to_device(slices, images.device)
        shapes = draw_shapes(foreground[rows], radius=self.radius)
        if self.mass_effect and groups:
            pushing = torch.nonzero(torch.rand(groups[0]) < self.mass_effect).flatten()
            images = push_tissue(images, foreground, shapes, rows, to_device(pushing, images.device))
        spread = foreground_spread(images, foreground).clamp(min=1e-6)
        smooth = _smooth(images, foreground)
        mask = shapes.mask * self._carve(shapes, smooth / spread, rows)
        content = self._appearance().draw(
            images, smooth, spread, rows=rows, mask=mask, shapes=shapes, source=sources
        )
        return _composite(images, content, mask, rows, groups)

    def _draw_counts(self, n):
        """Slice of every lesion, and how many slices have a first, a second, ... lesion.

        All first lesions come first, then all second ones, so that each group is blended in at once. Drawn on
        the CPU, so that nothing waits for the device.
        """
        fewest, most = self.n_lesions
        if not 0 <= fewest <= most:
            raise ValueError(
                f"n_lesions should be (fewest, most) with 0 <= fewest <= most, got {self.n_lesions}."
            )
        counts = torch.randint(fewest, most + 1, (n,))
        order, slices = torch.nonzero(torch.arange(most)[:, None] < counts).unbind(1)
        return slices, torch.bincount(order).tolist()

    def _sources(self, slices, groups, n):
        """The lesion whose appearance each lesion has: itself, or the first of its slice."""
        first = torch.zeros(n, dtype=torch.int64)
        first[slices[: sum(groups[:1])]] = torch.arange(sum(groups[:1]))
        return torch.where((torch.rand(n) < self.alike)[slices], first[slices], torch.arange(len(slices)))

    def _carve(self, shapes, tissue, slices):
        """What is left of each ellipse, cut along a random contrast of its slice."""
        outlines = OUTLINES if isinstance(self.outlines, str) else self.outlines
        if not outlines or not all(hasattr(outline, "carve") for outline in outlines):
            raise ValueError(f"outlines should be outlines such as Ellipse(), got {self.outlines!r}.")
        n, device = len(slices), slices.device
        lots = torch.bincount(torch.randint(len(outlines), (n,)), minlength=len(outlines)).tolist()
        order = to_device(torch.randperm(n), device)
        contrasts = torch.randint(tissue.shape[1], (n,), device=device)
        factor = torch.ones_like(shapes.mask)
        for outline, rows in zip(outlines, order.split(lots), strict=True):
            if len(rows) and not isinstance(outline, Ellipse):
                guide = tissue[slices[rows], contrasts[rows]][:, None]
                factor[rows] = outline.carve(shapes.take(rows), guide)
        # the central pixel always belongs to the lesion, so that none is empty
        return factor.flatten(1).scatter(1, shapes.center[:, None], 1.0).view_as(factor)

    def _appearance(self):
        return Appearance() if isinstance(self.appearance, str) else self.appearance


def _smooth(images, foreground):
    """Images blurred inside the foreground, as they are outside."""
    sigma = _SMOOTHING * pixel_scale(images)
    weight, radius = foreground.to(images.dtype), max(1, round(2 * sigma))
    share = gaussian_blur(weight, sigma, radius).clamp(min=1e-6)
    return torch.where(foreground, gaussian_blur(images * weight, sigma, radius) / share, images)


def _composite(images, content, mask, rows, groups):
    """Blend the lesions in: the first ones of all slices, then the second ones, ..."""
    images, total = images.clone(), torch.zeros_like(images[:, :1])
    for slices, inside, soft in zip(*(each.split(groups) for each in (rows, content, mask)), strict=True):
        images[slices] = torch.lerp(images[slices], inside, soft)
        total[slices] = torch.maximum(total[slices], soft)
    return images, total
