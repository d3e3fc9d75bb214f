"""Restoration of an image: descent on an objective of every image by itself, beginning at the image."""

import torch


def total_variation(images, foreground):
    """Sum of absolute differences between neighbours that are both in the foreground.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    Tensor of shape (n,)

    Examples
    --------
    >>> import torch
    >>> foreground = torch.tensor([[[[True, True, False]]]])
    >>> total_variation(torch.tensor([[[[1.0, 4.0, 9.0]]]]), foreground)
    tensor([3.])
    """
    total = 0
    for axis in (2, 3):
        n_pairs = images.shape[axis] - 1
        first, second = (foreground.narrow(axis, start, n_pairs) for start in (0, 1))
        total = total + (images.diff(dim=axis).abs() * (first & second)).sum((1, 2, 3))
    return total


def restore(objective, images, foreground, *, n_steps, lr):
    """Gradient descent on the foreground pixels of every image, all images of a batch together.

    Parameters
    ----------
    objective : callable
        ``objective(restored)`` -> value of every image, shape (n,), differentiable; an image's value depends
        on that image only (networks in evaluation mode).
    images : Tensor of shape (n, n_contrasts, height, width)
        Where the descent begins.
    foreground : bool Tensor of shape (n, 1, height, width)
        Other pixels stay.
    n_steps : int
    lr : float
        Size of a step, in units of the gradient.

    Returns
    -------
    restored : Tensor of the shape of images
        Of the smallest value seen, which is never above that of ``images``.
    curve : Tensor of shape (n_steps + 1, n)
        Smallest value seen before the first and after every step.

    Notes
    -----
    Steps have one size, as in You et al.; the best image seen is kept because such a descent need not be
    monotone (we).

    Examples
    --------
    >>> import torch
    >>> images, foreground = torch.zeros(1, 1, 1, 2), torch.tensor([[[[True, False]]]])
    >>> def parabola(x):
    ...     return (x - 1).square().sum((1, 2, 3))
    >>> restore(parabola, images, foreground, n_steps=50, lr=0.1)[0].round(decimals=2)
    tensor([[[[1., 0.]]]])
    """
    current, best = images.detach(), images.detach()
    lowest = images.new_full((len(images),), torch.inf)
    curve = []
    for _ in range(n_steps + 1):
        with torch.enable_grad():
            current.requires_grad_()
            values = objective(current)
            (gradient,) = torch.autograd.grad(values.sum(), current)
        better = values.detach() < lowest
        best = torch.where(better[:, None, None, None], current.detach(), best)
        lowest = torch.where(better, values.detach(), lowest)
        curve.append(lowest)
        current = current.detach() - lr * gradient * foreground
    return best, torch.stack(curve)
