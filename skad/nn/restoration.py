"""Restoration of an image: proximal descent on an objective plus the total variation of the change."""

import torch

_DUAL_STEP = 0.25  # 2 / 8, where 8 bounds the squared norm of the differences along two axes
_DUAL_STEPS = 10  # per step of the descent; each begins where the last one ended


def total_variation(images, foreground):
    """Sum of absolute differences between neighbors that are both in the foreground.

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
    return sum(each.abs().sum((1, 2, 3)) for each in _differences(images, _neighbors(foreground)))


def shrink_variation(images, foreground, weight, *, dual=None, n_steps=_DUAL_STEPS):
    """Proximal operator of the total variation: ``argmin_u |u - images|^2 / 2 + weight TV(u)``.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    weight : float
    dual : pair of Tensors, default=None
        Where to begin, from an earlier call for similar images.
    n_steps : int, default=10
        Of projected gradient ascent on the dual problem; more come closer to the minimum.

    Returns
    -------
    shrunk : Tensor of the shape of images
    dual : pair of Tensors
        Of shapes (n, n_contrasts, height - 1, width) and (n, n_contrasts, height, width - 1), in
        [-weight, weight].

    References
    ----------
    Chambolle, "An algorithm for total variation minimization and applications", 2004; for the sum of absolute
    differences the dual variables are bounded one by one.

    Examples
    --------
    >>> import torch
    >>> two = torch.tensor([[[[1.0, 4.0]]]])  # each moves by the weight towards the other
    >>> shrink_variation(two, torch.ones(1, 1, 1, 2, dtype=torch.bool), 0.5, n_steps=50)[0].flatten()
    tensor([1.5000, 3.5000])
    """
    neighbors = _neighbors(foreground)
    if dual is None:
        dual = tuple(torch.zeros_like(each) for each in _differences(images, neighbors))
    for _ in range(n_steps):
        slopes = _differences(images - _divergence(dual, images), neighbors)
        dual = tuple(
            (each + _DUAL_STEP * slope).clamp(-weight, weight)
            for each, slope in zip(dual, slopes, strict=True)
        )
    return images - _divergence(dual, images), dual


def _neighbors(foreground):
    """Along both axes, 1.0 where a pixel and the next one are in the foreground."""
    return tuple(
        (foreground.narrow(axis, 0, size - 1) & foreground.narrow(axis, 1, size - 1)).float()
        for axis, size in ((2, foreground.shape[2]), (3, foreground.shape[3]))
    )


def _differences(images, neighbors):
    return tuple(images.diff(dim=axis) * inside for axis, inside in zip((2, 3), neighbors, strict=True))


def _divergence(dual, images):
    """The transpose of :func:`_differences` for dual variables that are 0 outside the foreground."""
    total = torch.zeros_like(images)
    for axis, each in zip((2, 3), dual, strict=True):
        total.narrow(axis, 0, each.shape[axis]).sub_(each)
        total.narrow(axis, 1, each.shape[axis]).add_(each)
    return total


def restore(objective, images, foreground, *, n_steps, lr, tv_weight=0.0):
    """Proximal gradient descent on the foreground pixels of every image, all images of a batch together.

    Minimizes ``objective(restored) + tv_weight * TV(restored - images)``.

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
    tv_weight : float, default=0.0

    Returns
    -------
    restored : Tensor of the shape of images
        Of the smallest value seen, which is never above that of ``images``.
    curve : Tensor of shape (n_steps + 1, n)
        Smallest value seen before the first and after every step.

    Notes
    -----
    You et al. take steps of one size along a subgradient. The total variation has a kink where nothing has
    changed yet, at which the descent begins: a subgradient of fixed size overshoots there and raises the
    objective in every step, so that the best image seen would be the input. The proximal step (we) minimizes
    the total variation exactly and descends.

    References
    ----------
    Beck, Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising and
    deblurring problems", IEEE Transactions on Image Processing 18 (2009).

    Examples
    --------
    >>> import torch
    >>> images, foreground = torch.zeros(1, 1, 1, 2), torch.tensor([[[[True, False]]]])
    >>> def parabola(x):
    ...     return (x - 1).square().sum((1, 2, 3))
    >>> restore(parabola, images, foreground, n_steps=50, lr=0.1)[0].round(decimals=2)
    tensor([[[[1., 0.]]]])
    """
    start = images.detach()
    change, best, dual = torch.zeros_like(start), start, None
    lowest = start.new_full((len(start),), torch.inf)
    curve = []
    for _ in range(n_steps + 1):
        current = start + change
        with torch.enable_grad():
            values = objective(current.requires_grad_())
            (gradient,) = torch.autograd.grad(values.sum(), current)
        values = values.detach() + tv_weight * total_variation(change, foreground)
        better = values < lowest
        best = torch.where(better[:, None, None, None], current.detach(), best)
        lowest = torch.where(better, values, lowest)
        curve.append(lowest)
        change = change - lr * gradient * foreground
        if tv_weight:
            change, dual = shrink_variation(change, foreground, lr * tv_weight, dual=dual)
    return best, torch.stack(curve)
