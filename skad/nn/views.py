"""Maps averaged over views of a slice: its mirror image and other magnifications."""

import torch

from skad.nn.background import fill_background
from skad.nn.warping import warp_foreground


def average_over_views(network, images, foreground, background, *, flip=True, zooms=()):
    """Mean map of a network over views of every slice, back in the place of the slice.

    Parameters
    ----------
    network : callable
        ``network(images, foreground)`` gives maps (n, 1, height, width).
    images : Tensor of shape (n, ..., n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    background : Tensor of shape (n_contrasts,)
        Value outside the foreground.
    flip : bool, default=True
        Each view also mirrored, side to side.
    zooms : sequence of float, default=()
        Magnifications about the center, beside the slice as it is. What a view does not show of the
        foreground it leaves to the others.

    Returns
    -------
    Tensor of shape (n, 1, height, width)
    """
    total = _seen_both_ways(network, images, foreground, flip)
    weight = torch.ones_like(total)
    for zoom in zooms:
        seen, share = warp_foreground(images, foreground, _magnify(zoom, images))
        visible = share > 0.5
        maps = _seen_both_ways(network, fill_background(seen, visible, background), visible, flip)
        back, share = warp_foreground(maps, visible, _magnify(1 / zoom, maps))
        total, weight = total + share * back, weight + share
    return total / weight


def _seen_both_ways(network, images, foreground, flip):
    maps = network(images, foreground).float()
    if flip:
        maps = (maps + network(images.flip(-1), foreground.flip(-1)).float().flip(-1)) / 2
    return maps


def _magnify(zoom, like):
    """The affine map from output to input coordinates that shows the center magnified."""
    matrix = torch.zeros(len(like), 2, 3, device=like.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1 / zoom
    return matrix
