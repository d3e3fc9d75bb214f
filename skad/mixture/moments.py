"""Weights, means and covariances of a Gaussian mixture whose responsibilities are given (A, eq. 9)."""

import torch

from skad.mixture.precision import without_autocast, working_dtype


def mixture_moments(features, responsibilities):
    """Weight, mean and covariance of each component: the M step of expectation maximization, differentiable.

    The covariances are taken around the components' means in a second pass: the one-pass form E[zz'] - mm'
    loses as many digits as the squared means are larger than the variances.

    Parameters
    ----------
    features : Tensor of shape (n_pixels, n_features)
        Features of the pixels.
    responsibilities : Tensor of shape (n_pixels, n_components)
        Non-negative; each row sums to one.

    Returns
    -------
    weights : Tensor of shape (n_components,)
    means : Tensor of shape (n_components, n_features)
    covariances : Tensor of shape (n_components, n_features, n_features)
        Symmetric.  All three are in the working precision (float64 up to 32 features, whatever the features'
        type) and should stay in it: a covariance rounded to float32 may have lost its smallest eigenvalues.
        A component without pixels has zero weight, mean and covariance.

    Raises
    ------
    ValueError
        If the shapes disagree or there is no pixel.

    See Also
    --------
    skad.mixture.log_responsibilities : The E step.
    skad.mixture.stream_mixture : The moments of all batches.

    Examples
    --------
    >>> labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> weights, means, covariances = mixture_moments(torch.tensor([[0.0], [2.0], [9.0]]), labels)
    >>> weights.tolist(), means.tolist(), covariances.tolist()
    ([0.6666666666666666, 0.3333333333333333], [[1.0], [9.0]], [[[1.0]], [[0.0]]])
    """
    check_pixels(features, responsibilities)
    dtype = working_dtype(features)
    with without_autocast(features):
        sums = centered_sums(features.to(dtype), responsibilities.to(dtype))
        return normalize_sums(len(features), *sums)


def centered_sums(features, responsibilities):
    """What every component adds up: counts (K,), means (K, F) and scatters (K, F, F) around these means.

    Parameters
    ----------
    features : Tensor of shape (n_pixels, n_features)
    responsibilities : Tensor of shape (n_pixels, n_components)
        Of the same type.
    """
    counts = responsibilities.sum(dim=0)
    means = (responsibilities.T @ features) / _divisor(counts)[:, None]
    scatters = [
        _scatter(features - mean, share) for mean, share in zip(means, responsibilities.T, strict=True)
    ]
    return counts, means, torch.stack(scatters)


def normalize_sums(n_pixels, counts, means, scatters):
    """Weights, means and covariances from the sums of `centered_sums` over ``n_pixels`` pixels."""
    if n_pixels == 0:
        raise ValueError(
            "A mixture needs at least one foreground pixel, got none: leave out slices without foreground."
        )
    return counts / n_pixels, means, scatters / _divisor(counts)[:, None, None]


def check_pixels(features, responsibilities):
    """Raise ValueError unless the shapes are (n_pixels, n_features) and (n_pixels, n_components)."""
    if features.dim() != 2 or responsibilities.dim() != 2 or len(features) != len(responsibilities):
        raise ValueError(
            "Features and responsibilities should have shapes (n_pixels, n_features) and "
            f"(n_pixels, n_components), got {tuple(features.shape)} and {tuple(responsibilities.shape)}."
        )


def _scatter(deviations, share):
    return (share[:, None] * deviations).T @ deviations


def _divisor(counts):
    # An empty component's sums are zero: dividing them by one keeps its values and gradients finite.
    return torch.where(counts > torch.finfo(counts.dtype).tiny, counts, 1)
