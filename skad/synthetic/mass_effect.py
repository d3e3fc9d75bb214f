"""Mass effect: a growing lesion pushes the tissue around it away."""

import torch

from skad.synthetic.deformations import sample_displaced
from skad.synthetic.placement import uniform

_REACH = 2.0  # radii of the lesion within which tissue moves
_STRENGTH = (0.2, 0.6)  # relative displacement at the center


def push_tissue(images, foreground, shapes, slices, pushing):
    """Move tissue radially away from some of the lesions.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    shapes : Shapes
        Of all lesions.
    slices : int64 Tensor of shape (n_lesions,)
        Slice of each lesion.
    pushing : int64 Tensor of shape (n_pushing,)
        The lesions that push, at most one per slice.

    Returns
    -------
    Tensor of shape (n, n_contrasts, height, width)

    Notes
    -----
    We. A pixel at r is drawn from ``r (1 - strength (1 - (r / reach)^2)^2)``: smooth, and at rest at twice
    the lesion's radius. Where it would be drawn from the background it stays.
    """
    if not len(pushing):
        return images
    rows = slices[pushing]
    strength = uniform(len(rows), *_STRENGTH, device=images.device)[:, None, None, None]
    calm = (1 - (shapes.distance[pushing] / _REACH).square()).clamp(min=0).square()[:, 0, :, :, None]
    displacement = -strength * calm * shapes.offset[pushing]
    moved = sample_displaced(images[rows], displacement)
    inside = sample_displaced(foreground[rows].to(images.dtype), displacement) > 0.999
    images = images.clone()
    images[rows] = torch.where(inside & (calm[..., 0][:, None] > 0), moved, images[rows])
    return images
