"""What a network learns from planted lesions: where they are, in the slice and against its neighbors."""

import torch
import torch.nn.functional as F

from skad.nn.background import fill_background, foreground_mean

_GOES_ON, _ALONE = 0.7, 0.2  # of planted lesions into a neighbor; of slices without neighbors


def segmentation_loss(network, images, foreground, *, plant, view=None, background=None, dice=0.0):
    """Plant lesions, and compare the logits with their soft mask over the foreground.

    Parameters
    ----------
    network : callable
        ``network(images, foreground)`` -> logits (n, 1, height, width).
    images : Tensor of shape (n, n_contrasts, height, width)
        Normal slices; or pairs (n, 2, n_contrasts, height, width), whose references stay as they are; or
        slices with their neighbors (n, 3, n_contrasts, height, width), see :func:`carry_over`.
    foreground : bool Tensor of shape (n, 1, height, width)
    plant : callable
        ``plant(images, foreground)`` -> (images, soft mask).
    view : callable, default=None
        ``view(images, foreground)`` -> images, what the scanner does to planted slices.
    background : ndarray of shape (n_contrasts,), default=None
        Put back into the background after `view`.
    dice : float, default=0.0
        Weight of the Dice loss of the batch beside the cross-entropy.

    Returns
    -------
    dict with "loss", a scalar Tensor, in nats per pixel
    """
    observed, *others = [images] if images.dim() == 4 else images.unbind(1)
    with torch.autocast(images.device.type, enabled=False), torch.no_grad():  # intensities keep their digits
        planted, mask = plant(observed, foreground)
        if len(others) == 2:
            others = carry_over(observed, planted, others)
        seen = torch.stack([planted, *others], dim=1) if others else planted
        if view is not None:
            filling = torch.as_tensor(background, device=seen.device)
            seen = fill_background(view(seen, foreground), foreground, filling)
    logits = network(seen, foreground)
    entropy = foreground_mean(F.binary_cross_entropy_with_logits(logits, mask, reduction="none"), foreground)
    return {"loss": entropy + dice * dice_loss(logits, mask, foreground) if dice else entropy}


def carry_over(observed, planted, neighbors):
    """Continue planted lesions into the slices below and above.

    Each side of a slice shows them, by the same change of intensity, with a probability of 0.7; on the other
    sides they end. A fifth of the slices lose their neighbors, as single slices and those at the end of a
    volume do: they are shown beside themselves.

    Parameters
    ----------
    observed, planted : Tensor of shape (n, n_contrasts, height, width)
        Slices before and after planting.
    neighbors : sequence of Tensor of the same shape

    Returns
    -------
    list of Tensor
    """
    shape = (len(observed), 1, 1, 1)
    alone = torch.rand(shape, device=observed.device) < _ALONE
    continued = []
    for neighbor in neighbors:
        goes_on = torch.rand(shape, device=observed.device) < _GOES_ON
        shown = neighbor + (planted - observed) * goes_on
        is_copy = (neighbor == observed).flatten(1).all(dim=1).view(shape)
        continued.append(torch.where(alone | is_copy, planted, shown))
    return continued


def dice_loss(logits, mask, foreground):
    """One minus the Dice of a soft segmentation and a soft mask, over all foreground pixels of a batch.

    Parameters
    ----------
    logits, mask : Tensor of shape (n, 1, height, width)
    foreground : bool Tensor of the same shape

    Returns
    -------
    scalar Tensor
        In [0, 1); one pixel is added to both, so that a batch without lesions has a gradient.

    References
    ----------
    Milletari, Navab, Ahmadi, V-Net, 3DV 2016; without squares in the denominator.
    """
    predicted = logits.sigmoid() * foreground
    overlap = (predicted * mask).sum()
    return 1 - (2 * overlap + 1) / (predicted.sum() + mask.sum() + 1)
