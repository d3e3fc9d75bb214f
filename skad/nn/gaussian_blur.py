"""Separable Gaussian window on tensors."""

import torch


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
    flat = images.flatten(0, 1)
    down, across = (_band(size, sigma, radius, images) for size in images.shape[-2:])
    with torch.autocast(images.device.type, enabled=False):
        return (down @ (flat @ across)).view_as(images)


def blur_foreground(images, foreground, sigma, radius):
    """Gaussian-weighted mean over the foreground around every pixel: the background does not bleed in.

    Parameters
    ----------
    images : Tensor of shape (n, n_channels, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    sigma : float
        Standard deviation, pixels.
    radius : int
        The window is 2 * radius + 1 pixels wide.

    Returns
    -------
    Tensor of the shape and dtype of images
        Values outside the foreground are arbitrary.
    """
    weights = foreground.to(images.dtype)
    share = gaussian_blur(weights, sigma, radius)
    return gaussian_blur(images * weights, sigma, radius) / share.clamp(min=1e-6)


def _band(size, sigma, radius, like):
    """The window at every position of an axis as a matrix; faster than convolving one channel."""
    place = torch.arange(size, device=like.device, dtype=like.dtype)
    distance = (place[:, None] - place).abs()
    offsets = torch.arange(-radius, radius + 1, device=like.device, dtype=like.dtype)
    weight = torch.exp(-0.5 * (offsets / sigma) ** 2).sum()
    return torch.exp(-0.5 * (distance / sigma) ** 2) * (distance <= radius) / weight
