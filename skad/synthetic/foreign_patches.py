"""Foreign patches: tissue of another slice or another place, blended in (Tan et al. 2020)."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.synthetic.placement import draw_shapes, uniform


class ForeignPatches(BaseEstimator):
    """Synthetic anomalies: an irregular patch of another slice of the batch, from a shifted position.

    Parameters
    ----------
    radius : (float, float), default=(3.0, 24.0)
        Smallest and largest radius, pixels at 128 x 128, drawn log-uniformly and scaled with the image.
    opacity : (float, float), default=(0.5, 1.0)
        Smallest and largest share of the foreign tissue inside.
    reach : float, default=0.15
        Largest shift of the donor, as a fraction of the image's size.

    See Also
    --------
    skad.synthetic.LostStructure : Anomalies without foreign tissue.

    Notes
    -----
    The mask is the shape at any opacity: it marks where tissue is foreign, not how much of it (we; FPI
    regresses the opacity). Nothing is planted where the donor has background. A slice that is alone in its
    batch is its own donor.

    References
    ----------
    Tan, Hou, Batten, Qiu, Kainz, "Detecting outliers with foreign patch interpolation", 2020.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import ForeignPatches
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = ForeignPatches().plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
    """

    _parameter_constraints = {
        "radius": [tuple, list],
        "opacity": [tuple, list],
        "reach": [Interval(Real, 0, 0.5, closed="both")],
    }

    def __init__(self, *, radius=(3.0, 24.0), opacity=(0.5, 1.0), reach=0.15):
        self.radius = radius
        self.opacity = opacity
        self.reach = reach

    def plant(self, images, foreground):
        """Plant lesions into normal slices; see :meth:`skad.synthetic.Blobs.plant`."""
        n, device = len(images), images.device
        shape = draw_shapes(foreground, radius=self.radius)
        donors, allowed = self._donors(images, foreground)
        mask = shape.mask * allowed
        opacity = uniform(n, *self.opacity, device=device)[:, None, None, None]
        return torch.lerp(images, donors, mask * opacity), mask

    def _donors(self, images, foreground):
        """Another slice for every slice, moved, and where it has tissue."""
        n, _, height, width = images.shape
        device = images.device
        other = (torch.arange(n, device=device) + torch.randint(1, max(2, n), (1,), device=device)) % n
        down = self._shifts(n, height, device)
        right = self._shifts(n, width, device)
        rows = (torch.arange(height, device=device) + down[:, None]) % height
        columns = (torch.arange(width, device=device) + right[:, None]) % width
        index = other[:, None, None], slice(None), rows[:, :, None], columns[:, None, :]
        return images[index].permute(0, 3, 1, 2), foreground[index].permute(0, 3, 1, 2)

    def _shifts(self, n, size, device):
        most = round(self.reach * size)
        return torch.randint(-most, most + 1, (n,), device=device)
