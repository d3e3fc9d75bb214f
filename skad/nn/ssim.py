"""Structural similarity of an image and its reference, over the foreground (Wang et al. 2004)."""

import torch

from skad.nn.gaussian_blur import gaussian_blur

K1, K2 = 0.01, 0.03  # Wang et al.: stabilizers, as fractions of the data range


def ssim_map(images, references, foreground, *, data_range, sigma=1.5, radius=5):
    """Structural similarity around every pixel.

    Parameters
    ----------
    images, references : Tensors of shape (n, n_contrasts, height, width)
        Finite everywhere.
    foreground : bool Tensor of shape (n, 1, height, width)
        Pixels that enter the local means, variances and covariance.
    data_range : float or Tensor of shape (n_contrasts, 1, 1)
        Largest minus smallest value that the images can take, L of the paper.
    sigma : float, default=1.5
        Standard deviation of the Gaussian window, pixels.
    radius : int, default=5
        The window is 2 * radius + 1 pixels wide.

    Returns
    -------
    Tensor of shape (n, n_contrasts, height, width)
        In [-1, 1]; 1 where the two are equal. Differentiable. What it says outside the foreground does not
        matter.

    Notes
    -----
    We: the window's weights are renormalized over the foreground pixels it holds, so that neither the image's
    border nor the background enters; where all of the window is foreground this is the paper's definition.
    Moments are taken about the mean of each image, which changes nothing but rounding.

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli, IEEE Transactions on Image Processing 13 (2004), eq. (13).

    Examples
    --------
    >>> import torch
    >>> image, foreground = torch.eye(4)[None, None], torch.ones(1, 1, 4, 4, dtype=torch.bool)
    >>> ssim_map(image, image, foreground, data_range=1.0).mean()
    tensor(1.)
    """
    inside = foreground.to(images.dtype)
    weight = gaussian_blur(inside, sigma, radius).clamp(min=torch.finfo(images.dtype).tiny)

    def local_mean(values):
        return gaussian_blur(values * inside, sigma, radius) / weight

    center = (
        (images * inside).sum((2, 3), keepdim=True) / inside.sum((2, 3), keepdim=True).clamp(min=1)
    ).detach()
    x, y = images - center, references - center
    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x + y * y) - mean_x.square() - mean_y.square()
    covariance = local_mean(x * y) - mean_x * mean_y
    mean_x, mean_y = mean_x + center, mean_y + center
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x.square() + mean_y.square() + c1)
    return luminance * (2 * covariance + c2) / (variances.clamp(min=0) + c2)
