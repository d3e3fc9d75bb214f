"""Affine maps of slices, the background weighing nothing."""

import torch.nn.functional as F


def warp_foreground(images, foreground, affine):
    """Resample slices under an affine map; pixels near the edge average the foreground only.

    Parameters
    ----------
    images : Tensor of shape (n, ..., height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    affine : Tensor of shape (n, 2, 3)
        From output to input coordinates, as :func:`torch.nn.functional.affine_grid` takes it.

    Returns
    -------
    images : Tensor of the shape of images
        0 where there is no foreground nearby.
    share : Tensor of shape (n, 1, height, width)
        Of foreground in each pixel.
    """
    grid = F.affine_grid(affine, [len(images), 1, *images.shape[-2:]], align_corners=False)
    weights = foreground.to(images.dtype)
    flat = images.flatten(1, -3) * weights
    moved = F.grid_sample(flat, grid, mode="bilinear", align_corners=False)
    share = F.grid_sample(weights, grid, mode="bilinear", align_corners=False)
    return (moved / share.clamp(min=1e-6)).view_as(images), share
