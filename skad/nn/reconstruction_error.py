"""What a reconstruction is off by: L_AE of K, squared error and structural similarity."""

import torch

from skad.nn.ssim import ssim_map

PAPER_PIXELS = 256 * 256
"""Foreground pixels of an image on the scale that alpha, beta and the margin of K were chosen for."""


def reconstruction_error(images, reconstructions, foreground, *, ssim_weight=1.0):
    """L_AE of every image: squared error plus 1 - SSIM, summed over the pixels (K, eq. 2 and III-C.2).

    Parameters
    ----------
    images, reconstructions : Tensors of shape (n, n_contrasts, height, width)
        In [-1, 1].
    foreground : bool Tensor of shape (n, 1, height, width)
    ssim_weight : float, default=1.0
        Weight of the structural term; 0 leaves it out.

    Returns
    -------
    Tensor of float32, shape (n,)
        Mean over the foreground and the contrasts, times 256 * 256: what the sum would be if every image had
        one contrast and 256 x 256 foreground pixels. 0 where an image has no foreground.

    Notes
    -----
    We: the rescaling. beta and the margin of K weigh this sum against a divergence in nats, so
    they mean the same at any image size, number of contrasts and share of background only if the sum does.

    Examples
    --------
    >>> import torch
    >>> image, foreground = torch.zeros(1, 1, 2, 3), torch.ones(1, 1, 2, 3, dtype=torch.bool)
    >>> reconstruction_error(image, image + 0.5, foreground, ssim_weight=0.0) / 256**2
    tensor([0.2500])
    """
    images, reconstructions = images.float(), reconstructions.float()
    with torch.autocast(images.device.type, enabled=False):
        error = (images - reconstructions).square()
        if ssim_weight:
            similarity = ssim_map(images, reconstructions, foreground, data_range=2.0)
            error = error + ssim_weight * (1 - similarity)
    return PAPER_PIXELS * _image_means(error, foreground)


def _image_means(values, foreground):
    """Mean over foreground and contrasts of each image, shape (n,)."""
    weights = foreground.to(values.dtype)
    total = (values * weights).sum((1, 2, 3))
    return total / (weights.sum((1, 2, 3)) * values.shape[1]).clamp(min=1)
