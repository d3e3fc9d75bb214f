"""Energy of pixels under a Gaussian mixture: how little the mixture expects them (A, eq. 12)."""

import math

import torch
from torch.autograd.function import once_differentiable

from skad.mixture.precision import without_autocast, working_dtype
from skad.mixture.singularity import raise_if_singular, require_finite

_BLOCK_VALUES = {"cpu": 2**18, "other": 2**25}
"""Size of the largest intermediate: 2 MiB of float64 stay in cache; a GPU wants few, large launches."""


def energy(features, weights, means, covariances):
    """Negative log-density of each pixel: -log sum_k pi_k N(z; mu_k, Sigma_k) (A, eq. 12).

    It is the negative of `sklearn.mixture.GaussianMixture.score_samples`.  All components are whitened by one
    product with their stacked precision-Cholesky factors, a block of pixels at a time, and the backward pass
    computes the blocks anew: beyond its input and output a call needs a few MiB, however many pixels there
    are (We).

    Parameters
    ----------
    features : Tensor of shape (n_pixels, n_features)
        Features of the pixels.
    weights : Tensor of shape (n_components,)
        Weights of the components, which sum to one.
    means : Tensor of shape (n_components, n_features)
        Means of the components.
    covariances : Tensor of shape (n_components, n_features, n_features)
        Positive definite; see `floor_eigenvalues`.  Parameters are best given in float64, as
        `mixture_moments` returns them.

    Returns
    -------
    Tensor of shape (n_pixels,)
        In nats, of the features' type (at least float32), computed in float64 up to 32 features;
        differentiable once in all four arguments.  NaN where a feature is.

    Raises
    ------
    SingularCovarianceError
        If a covariance is not positive definite or not finite.

    See Also
    --------
    skad.mixture.energy_map : The same for maps.
    skad.mixture.log_responsibilities : Probabilities of the components.
    skad.mixture.floor_eigenvalues : Keeps the covariances positive definite.

    Examples
    --------
    >>> standard = torch.ones(1), torch.zeros(1, 2), torch.eye(2)[None]
    >>> energy(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), *standard)
    tensor([ 1.8379, 14.3379])
    """
    with without_autocast(features):
        whitening = _whitening(features, weights, means, covariances)
        energies = _Energy.apply(features, *whitening)
    return energies.to(_at_least_float32(features))


def log_responsibilities(features, weights, means, covariances):
    """Log-probability of each component given the pixel: the E step of expectation maximization.

    Parameters
    ----------
    features : Tensor of shape (n_pixels, n_features)
        Features of the pixels.
    weights : Tensor of shape (n_components,)
        Weights of the components, which sum to one.
    means : Tensor of shape (n_components, n_features)
        Means of the components.
    covariances : Tensor of shape (n_components, n_features, n_features)
        Covariances of the components, positive definite.

    Returns
    -------
    Tensor of shape (n_pixels, n_components)
        ``exp`` of each row sums to one; -inf for a component of zero weight.

    Raises
    ------
    SingularCovarianceError
        If a covariance is not positive definite or not finite.

    See Also
    --------
    skad.mixture.mixture_moments : The M step.

    Examples
    --------
    >>> mixture = torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1, 1)
    >>> log_responsibilities(torch.zeros(1, 1), *mixture).exp()
    tensor([[0.5000, 0.5000]])
    """
    with without_autocast(features):
        whitening = _whitening(features, weights, means, covariances)
        blocks = [
            _whiten(block, *whitening)[1].log_softmax(dim=0).T for block in _blocks(features, whitening[1])
        ]
    return torch.cat(blocks).to(_at_least_float32(features))


def _whitening(features, weights, means, covariances):
    """All components' maps z -> L^-1 (z - mean) as one affine map of z - center, and their log-constants.

    Returns center (F,), matrix (K * F, F), shift (K * F, 1) and log_constants (K, 1).  The center is a
    constant that cancels; near the data it keeps digits when features are large and spread little.
    """
    _check_shapes(features, weights, means, covariances)
    dtype = working_dtype(features)
    weights, means, covariances = weights.to(dtype), means.to(dtype), covariances.to(dtype)
    n_features = means.shape[1]
    factors = _cholesky(covariances)
    identity = torch.eye(n_features, dtype=dtype, device=means.device).expand_as(factors)
    inverse_factors = torch.linalg.solve_triangular(factors, identity, upper=False)
    center = (weights @ means).detach()
    shift = -(inverse_factors @ (means - center)[:, :, None])
    log_determinants = factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
    log_constants = (
        _log_or_minus_infinity(weights) - log_determinants - 0.5 * n_features * math.log(2 * math.pi)
    )
    return center, inverse_factors.reshape(-1, n_features), shift.reshape(-1, 1), log_constants[:, None]


def _check_shapes(features, weights, means, covariances):
    expected = (len(weights), features.shape[-1])
    if features.dim() != 2 or means.shape != expected or covariances.shape != (*expected, expected[1]):
        shapes = ", ".join(str(tuple(part.shape)) for part in (features, weights, means, covariances))
        raise ValueError(
            "Features, weights, means and covariances should have shapes (n_pixels, n_features), "
            "(n_components,), (n_components, n_features) and (n_components, n_features, n_features), "
            f"got {shapes}."
        )


def _cholesky(covariances):
    require_finite(covariances)
    factors, failures = torch.linalg.cholesky_ex(covariances)
    raise_if_singular(failures > 0)
    return factors


def _log_or_minus_infinity(weights):
    # log(0) is right as a value, but its gradient would be 0 * infinity.
    logarithms = weights.clamp_min(torch.finfo(weights.dtype).tiny).log()
    return torch.where(weights > 0, logarithms, -torch.inf)


def _whiten(block, center, matrix, shift, log_constants):
    """Whitened deviations (K, F, B) of a block (B, F), and log pi_k N(z; mu_k, Sigma_k) of shape (K, B)."""
    whitened = torch.addmm(shift, matrix, (block.to(matrix.dtype) - center).T)
    whitened = whitened.view(len(log_constants), matrix.shape[1], len(block))
    return whitened, torch.sub(log_constants, whitened.square().sum(dim=1), alpha=0.5)


def _blocks(pixels, matrix):
    n_values = _BLOCK_VALUES["cpu" if pixels.device.type == "cpu" else "other"]
    return pixels.split(max(1, n_values // len(matrix)))


def _at_least_float32(features):
    return torch.promote_types(features.dtype, torch.float32)


class _Energy(torch.autograd.Function):
    """Energies (n_pixels,) of features (n_pixels, F) under the mixture that `_whitening` describes."""

    @staticmethod
    def forward(ctx, features, center, matrix, shift, log_constants):
        whitening = center, matrix, shift, log_constants
        ctx.save_for_backward(features, *whitening)
        log_densities = [
            _whiten(block, *whitening)[1].logsumexp(dim=0) for block in _blocks(features, matrix)
        ]
        return torch.cat(log_densities).neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        features, *whitening = ctx.saved_tensors
        _, matrix, shift, log_constants = whitening
        sums = torch.zeros_like(matrix), torch.zeros_like(shift), torch.zeros_like(log_constants)
        of_features = []
        for block, outer in zip(_blocks(features, matrix), _blocks(gradient, matrix), strict=True):
            of_block, *of_parameters = _gradients(block, outer, *whitening)
            of_features.append(of_block)
            for total, part in zip(sums, of_parameters, strict=True):
                total += part
        return torch.cat(of_features), None, *sums


def _gradients(block, outer, center, matrix, shift, log_constants):
    """Gradients of a block's sum(outer * energies) in its features, in matrix, shift and log_constants."""
    whitened, log_joint = _whiten(block, center, matrix, shift, log_constants)
    share = log_joint.softmax(dim=0) * outer
    of_whitened = (whitened * share[:, None]).view(len(matrix), -1)
    of_matrix = of_whitened @ (block.to(matrix.dtype) - center)
    of_features = (of_whitened.T @ matrix).to(block.dtype)
    return of_features, of_matrix, of_whitened.sum(dim=1, keepdim=True), -share.sum(dim=1, keepdim=True)
