"""Separable Gaussian window on tensors."""

import torch
import torch.nn.functional as F


def gaussian_blur(images, sigma, radius):
    """Gaussian-weighted sum around every pixel, zeros beyond the border.

    Parameters
    ----------
    images : Tensor of shape (n, n_channels, height, width)
    sigma : float
        Standard deviation, pixels.
    radius : int
        The window is 2 * radius + 1 pixels wide; its weights sum to 1.

    Returns
    -------
    Tensor of the shape and dtype of images
        Never in bf16 under autocast, whose digits local variances would not survive.

    Examples
    --------
    >>> import torch
    >>> gaussian_blur(torch.tensor([[[[0.0, 1.0, 0.0]]]]), sigma=1.0, radius=1)
    tensor([[[[0.1238, 0.2042, 0.1238]]]])
    """
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    window = torch.exp(-0.5 * (offsets / sigma) ** 2)
    window = window / window.sum()
    flat = images.flatten(0, 1)[:, None]
    with torch.autocast(images.device.type, enabled=False):
        flat = F.conv2d(flat, window[None, None, :, None], padding=(radius, 0))
        return F.conv2d(flat, window[None, None, None, :], padding=(0, radius)).view_as(images)
