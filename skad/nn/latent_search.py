"""Search for the latents that decode to an image best (K, II-B.3)."""

import contextlib

import torch


def search_latents(error, start, images, foreground, *, n_steps, lr, tol=0.0):
    """Adam on the latents of every image by itself, all images of a batch together.

    Parameters
    ----------
    error : callable
        ``error(latents, images, foreground)`` -> error of every image, shape (n,), differentiable in the
        latents; an image's error depends on its own latents only (networks in evaluation mode).
    start : Tensor of shape (n, ...)
        Where the search begins.
    images : Tensor of shape (n, n_contrasts, height, width)
    foreground : bool Tensor of shape (n, 1, height, width)
    n_steps : int
        Steps of Adam.
    lr : float
    tol : float, default=0.0
        An image is through when a step lowers the smallest error it has seen by less than this.

    Returns
    -------
    latents : Tensor of the shape of start
        Of the smallest error seen, which is never above that of ``start``.
    curve : Tensor of shape (n_steps + 1, n)
        Smallest error seen before the first and after every step.

    Notes
    -----
    We: errors are summed over the batch. Adam works on every number by itself, so the images do
    not know of each other.

    Examples
    --------
    >>> import torch
    >>> images = torch.tensor([3.0, 0.5]).view(2, 1, 1, 1)
    >>> start, foreground = torch.zeros_like(images), torch.ones_like(images, dtype=torch.bool)
    >>> def error(latents, images, foreground):
    ...     return (latents - images).square().flatten(1).sum(1)
    >>> best, curve = search_latents(error, start, images, foreground, n_steps=20, lr=0.1)
    >>> best.flatten()
    tensor([1.88..., 0.50...])
    """
    search = _Search(start, n_steps, lr)
    for step in range(n_steps + 1):
        with torch.enable_grad():
            # not the leaf itself, of which autocast would keep the first cast for all steps
            latents = search.latents.view_as(search.latents)
            errors = error(latents, images[search.active], foreground[search.active])
            going = search.record(step, errors.detach()) >= tol
            if step == n_steps or not going.any():
                break
            search.step(errors, going)
    return search.best, search.curve


class _Search:
    """The images that are still searched, and the best latents of all."""

    def __init__(self, start, n_steps, lr):
        self.best = start.detach().clone()
        self.curve = start.new_full((n_steps + 1, len(start)), torch.inf)
        self.active = torch.arange(len(start), device=start.device)
        self.latents = start.detach().clone().requires_grad_()
        self.optimizer = torch.optim.Adam([self.latents], lr=lr)

    def record(self, step, errors):
        """Keep what is better than all before; by how much, shape (n_active,)."""
        gain = (self.curve[step, self.active] - errors).clamp(min=0)
        better = gain > 0
        self.best[self.active[better]] = self.latents.detach()[better]
        self.curve[step:, self.active[better]] = errors[better]
        return gain

    def step(self, errors, going):
        """One step of Adam for the images in ``going``; the others are left where they are."""
        (self.latents.grad,) = torch.autograd.grad(errors.sum(), self.latents)
        if not going.all():
            self._keep(going)
        self.optimizer.step()

    def _keep(self, going):
        state = self.optimizer.state.get(self.latents, {})
        gradient = self.latents.grad[going]
        self.active, self.latents = self.active[going], self.latents.detach()[going].requires_grad_()
        self.latents.grad = gradient
        self.optimizer = torch.optim.Adam([self.latents], lr=self.optimizer.param_groups[0]["lr"])
        if state:
            self.optimizer.state[self.latents] = {
                name: value[going] if value.dim() else value for name, value in state.items()
            }


@contextlib.contextmanager
def frozen(network):
    """No gradients for the weights of a network: neither computed nor remembered."""
    trainable = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        yield network.requires_grad_(False)
    finally:
        for weight in trainable:
            weight.requires_grad_(True)
