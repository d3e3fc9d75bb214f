"""Deformations: tissue pushed away from a center, or pulled towards it."""

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator

from skad.synthetic.shapes import draw_shapes, uniform


class Deformations(BaseEstimator):
    """Mass effect: a region is stretched or shrunk radially; intensities stay those of the tissue.

    Parameters
    ----------
    radius : (float, float), default=(6.0, 24.0)
        Pixels at 128 x 128, log-uniform; scaled with the image. Where a few pixels hold no structure a
        deformation cannot be seen.
    strength : (float, float), default=(0.4, 0.8)
        Relative displacement at the center: 0.8 draws what lies at 0.2 of the distance. Less than 1 keeps
        tissue from folding.

    Notes
    -----
    We. A point at r radii is drawn from r (1 -+ strength (1 - r^2)^2): smooth, and at rest on the rim. The
    mask is the region, also where uniform tissue shows no change.
    """

    _parameter_constraints = {"radius": [tuple, list], "strength": [tuple, list]}

    def __init__(self, *, radius=(6.0, 24.0), strength=(0.4, 0.8)):
        self.radius = radius
        self.strength = strength

    def plant(self, images, foreground):
        """Plant lesions into normal slices; see :meth:`skad.synthetic.Blobs.plant`."""
        n, device = len(images), images.device
        shape = draw_shapes(foreground, radius=self.radius)
        strength = uniform(n, *self.strength, device=device) * (
            2 * torch.randint(0, 2, (n,), device=device) - 1
        )
        calm = (1 - shape.distance.square()).clamp(min=0).square()[:, 0, :, :, None]
        displacement = -strength[:, None, None, None] * calm * shape.offset
        moved = sample_displaced(images, displacement)
        kept = (
            sample_displaced(foreground.to(images.dtype), displacement) > 0.999
        )  # no background drawn into the tissue
        mask = shape.mask * kept
        return torch.where((mask > 0) & (calm > 0)[..., 0][:, None], moved, images), mask


def sample_displaced(images, displacement):
    """Images at every pixel plus its displacement (n, height, width, 2), (x, y) in pixels."""
    n, _, height, width = images.shape
    still = F.affine_grid(
        torch.eye(2, 3, device=images.device).expand(n, 2, 3), [n, 1, height, width], align_corners=False
    )
    size = torch.tensor([width, height], device=images.device)
    return F.grid_sample(images, still + 2 * displacement / size, padding_mode="border", align_corners=False)
