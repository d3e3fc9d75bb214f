"""How far a slice is from its mirror image, side by side: maps for a network."""

import torch

from skad.nn.gaussian_blur import blur_foreground

SMOOTHING = 2.0  # pixels, of the other side: halves of a brain are alike, but not to the pixel


def mirror_maps(images, foreground):
    """Difference of every contrast from the other side of the brain.

    A slice is reflected about the column of its foreground's centroid, so that no registration is needed, and
    the reflection is smoothed within its foreground.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
        Columns run from one side of the head to the other.
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape (n, n_contrasts, height, width)
        0 in the background, and where the other side is background.

    Examples
    --------
    >>> import torch
    >>> mirror_maps(torch.ones(1, 1, 5, 8), torch.ones(1, 1, 5, 8, dtype=torch.bool)).abs().max()
    tensor(0.)
    """
    columns = torch.arange(images.shape[-1], device=images.device)
    inside = foreground.float()
    centroid = (inside * columns).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)
    source = (2 * centroid).round().long()[:, None] - columns
    exists = (source >= 0) & (source < images.shape[-1])
    source = torch.where(exists, source, 0)[:, None, None]
    smooth = blur_foreground(images, foreground, SMOOTHING, round(3 * SMOOTHING))
    other = smooth.gather(-1, source.expand_as(images))
    both = foreground & foreground.gather(-1, source.expand_as(foreground)) & exists[:, None, None]
    return (images - other) * both
