"""Gaussian posteriors of a variational autoencoder: divergence from the prior, and draws."""

import torch


def kl_to_standard_normal(mean, log_variance):
    """KL(N(mean, exp(log_variance)) || N(0, I)) of every image (K, eq. 3).

    Parameters
    ----------
    mean, log_variance : Tensors of shape (n_samples, ...)
        Independent latents of each image.

    Returns
    -------
    Tensor of shape (n_samples,)
        In nats, summed over the latents.

    Examples
    --------
    >>> import torch
    >>> kl_to_standard_normal(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.zeros(2, 2))
    tensor([0., 1.])
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)


def draw_normal(mean, log_variance):
    """A draw from N(mean, exp(log_variance)) that gradients pass (K, II-B.1: z = mu + sigma * epsilon)."""
    return mean + (0.5 * log_variance).exp() * standard_normal_like(mean)


def standard_normal_like(values):
    """Standard normal values of the same shape; of the same seed the same, however `values` lie in memory."""
    return torch.randn(values.shape, dtype=values.dtype, device=values.device)
