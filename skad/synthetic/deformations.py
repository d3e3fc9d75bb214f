"""Deformations: tissue pushed away from a center, or pulled towards it."""

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator

from skad.synthetic.placement import draw_shapes, uniform


class Deformations(BaseEstimator):
    """Synthetic mass effect: a region is stretched or shrunk radially with its intensities unchanged.

    Parameters
    ----------
    radius : (float, float), default=(6.0, 24.0)
        Smallest and largest radius, pixels at 128 x 128, drawn log-uniformly and scaled with the image. A
        deformation of a few pixels without structure is invisible.
    strength : (float, float), default=(0.4, 0.8)
        Relative displacement at the center: 0.8 shows what lies at 0.2 of the distance. Values less than
        1 prevent the tissue from folding.

    See Also
    --------
    skad.synthetic.Lesions : Lesions with an optional mass effect.

    Notes
    -----
    We. A point at r radii is sampled at r (1 -+ strength (1 - r^2)^2), which is smooth and fixes the rim. The
    mask is the whole region, including uniform tissue that does not change.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Deformations
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Deformations().plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
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
