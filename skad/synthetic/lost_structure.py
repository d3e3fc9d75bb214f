"""Lost structure: regions where tissue is blurred."""

import torch
from sklearn.base import BaseEstimator

from skad.nn.gaussian_blur import gaussian_blur
from skad.synthetic.placement import draw_shapes, pixel_scale, uniform


class LostStructure(BaseEstimator):
    """Synthetic anomalies: an irregular region of each slice is blurred; the background does not bleed in.

    Parameters
    ----------
    radius : (float, float), default=(4.0, 24.0)
        Smallest and largest radius, pixels at 128 x 128, drawn log-uniformly and scaled with the image.
    sigma : (float, float), default=(1.5, 5.0)
        Standard deviation of the Gaussian, pixels at 128 x 128; one draw per batch.

    See Also
    --------
    skad.synthetic.ForeignPatches : Anomalies with foreign tissue.

    Notes
    -----
    We. The mask is the whole region, including uniform tissue that does not change.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import LostStructure
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = LostStructure().plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
    """

    _parameter_constraints = {"radius": [tuple, list], "sigma": [tuple, list]}

    def __init__(self, *, radius=(4.0, 24.0), sigma=(1.5, 5.0)):
        self.radius = radius
        self.sigma = sigma

    def plant(self, images, foreground):
        """Plant lesions into normal slices; see :meth:`skad.synthetic.Blobs.plant`."""
        shape = draw_shapes(foreground, radius=self.radius)
        sigma = float(uniform(1, *self.sigma, device=images.device)) * pixel_scale(images)
        inside = foreground.to(images.dtype)
        radius = max(1, round(3 * sigma))
        weight = gaussian_blur(inside, sigma, radius).clamp(min=1e-6)
        blurred = gaussian_blur(images * inside, sigma, radius) / weight
        return torch.lerp(images, blurred, shape.mask), shape.mask
