"""Lost structure: regions where tissue is blurred."""

import torch
from sklearn.base import BaseEstimator

from skad.nn.gaussian_blur import gaussian_blur
from skad.synthetic.shapes import draw_shapes, pixel_scale, uniform


class LostStructure(BaseEstimator):
    """Blur an irregular region of every slice, without the background bleeding in.

    Parameters
    ----------
    radius : (float, float), default=(4.0, 24.0)
        Pixels at 128 x 128, log-uniform; scaled with the image.
    sigma : (float, float), default=(1.5, 5.0)
        Standard deviation of the Gaussian, pixels at 128 x 128; one draw per batch.

    Notes
    -----
    We. The mask is the region, also where uniform tissue shows no change.
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
