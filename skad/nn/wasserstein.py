"""Wasserstein game of a generator and a critic, whose slope a gradient penalty holds at one (WGAN-GP)."""

import torch


def gradient_penalty(critic, real, generated, position=None):
    """(||slope of the critic|| - 1)^2 somewhere between a real and a generated image, for every pair.

    Parameters
    ----------
    critic : callable
        Images (n, ...) to scores (n,); the score of an image depends on that image only, so no batch norm.
    real, generated : Tensors of shape (n, n_contrasts, height, width)
    position : Tensor of shape (n,), default=None
        Where: 0 at the real image, 1 at the generated one; None draws it uniformly.

    Returns
    -------
    Tensor of shape (n,)
        Differentiable in the critic's weights.

    References
    ----------
    Gulrajani et al., "Improved training of Wasserstein GANs", NeurIPS 2017, eq. (3).

    Examples
    --------
    >>> import torch
    >>> real, generated = torch.zeros(2, 1, 1, 2), torch.ones(2, 1, 1, 2)
    >>> gradient_penalty(lambda images: 3 * images[:, 0, 0, 0], real, generated)
    tensor([4., 4.])
    """
    if position is None:
        position = torch.rand(len(real), device=real.device)
    between = torch.lerp(real.detach(), generated.detach(), position[:, None, None, None]).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).float().sum(), between, create_graph=True)
    return (torch.linalg.vector_norm(slope.float().flatten(1), dim=1) - 1).square()


def critic_losses(critic, real, generated, *, penalty_weight):
    """Objective of the critic: it tells generated images from real ones as far as its slope allows.

    Parameters
    ----------
    critic : callable
    real, generated : Tensors of shape (n, n_contrasts, height, width)
        No gradient goes through them.
    penalty_weight : float

    Returns
    -------
    dict of scalar Tensors, means over the images
        "critic_loss", "wasserstein_distance" (mean score of the real minus that of the generated),
        "gradient_penalty", and for the record "generator_loss" of the same images.
    """
    opposed = generator_loss(critic, generated.detach())
    distance = critic(real.detach()).float().mean() + opposed
    penalty = gradient_penalty(critic, real, generated).mean()
    return {
        "critic_loss": penalty_weight * penalty - distance,
        "wasserstein_distance": distance,
        "gradient_penalty": penalty,
        "generator_loss": opposed,
    }


def generator_loss(critic, generated):
    """Objective of the generator: minus the mean score of its images, a scalar Tensor."""
    return -critic(generated).float().mean()
