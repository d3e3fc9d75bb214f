"""A lower bound on the eigenvalues of covariances, with a gradient that is finite where they coincide."""

import torch
from torch.autograd.function import once_differentiable

from skad.mixture.precision import working_dtype
from skad.mixture.singularity import require_finite


def floor_eigenvalues(covariances, floor=1e-6):
    """Raise the eigenvalues below ``floor`` to ``floor``: Q max(L, floor) Q' (A, eq. 10-11).

    The derivative of a spectral function in the direction H is Q (D * Q'HQ) Q', where D holds the divided
    differences of the scalar function at pairs of eigenvalues (Daleckii and Krein).  Those of max(., floor)
    lie in [0, 1], so the gradient is never larger than the one that comes in; the derivative of an
    eigendecomposition divides by differences of eigenvalues instead and is infinite where they coincide (We).
    An eigenvalue exactly at the floor counts as below it, as in a ReLU.

    Parameters
    ----------
    covariances : Tensor of shape (..., n_features, n_features)
        Only their symmetric part counts.
    floor : float, default=1e-6
        In the squared unit of the features.

    Returns
    -------
    Tensor of shape (..., n_features, n_features)
        Symmetric, of the same type.  Computed in float64 up to 32 features; float32 input is rounded back,
        which may move the smallest eigenvalues by 1e-7 of the largest.

    Raises
    ------
    SingularCovarianceError
        If a covariance holds NaN or infinity.

    See Also
    --------
    skad.mixture.count_floored : Counts the eigenvalues below the floor.
    skad.mixture.singularity_penalty : A penalty instead of the floor.

    References
    ----------
    Daleckii, Krein (1965). Integration and differentiation of functions of Hermitian operators. AMS
    Translations 47.

    Examples
    --------
    >>> floor_eigenvalues(torch.diag(torch.tensor([2.0, 0.0])), floor=0.5)
    tensor([[2.0000, 0.0000],
            [0.0000, 0.5000]])
    """
    require_finite(covariances)
    return _EigenvalueFloor.apply(covariances, floor)


def count_floored(covariances, floor=1e-6):
    """Count the eigenvalues of each matrix below a floor.

    Parameters
    ----------
    covariances : Tensor of shape (..., n_features, n_features)
        Symmetric matrices.
    floor : float, default=1e-6
        In the squared unit of the features.

    Returns
    -------
    int64 Tensor of shape (...)
        0 for a matrix that the floor does not change.

    See Also
    --------
    skad.mixture.floor_eigenvalues : Raises these eigenvalues.

    Examples
    --------
    >>> count_floored(torch.stack([torch.eye(3), torch.ones(3, 3)])).tolist()
    [0, 2]
    """
    eigenvalues = torch.linalg.eigvalsh(_symmetric_part(covariances.detach().to(working_dtype(covariances))))
    return (eigenvalues < floor).sum(dim=-1)


class _EigenvalueFloor(torch.autograd.Function):
    @staticmethod
    def forward(ctx, covariances, floor):
        eigenvalues, eigenvectors = torch.linalg.eigh(
            _symmetric_part(covariances.to(working_dtype(covariances)))
        )
        ctx.save_for_backward(eigenvalues, eigenvectors)
        ctx.floor = floor
        floored = (eigenvectors * eigenvalues.clamp_min(floor)[..., None, :]) @ eigenvectors.mT
        return _symmetric_part(floored).to(covariances.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        eigenvalues, eigenvectors = ctx.saved_tensors
        in_eigenbasis = eigenvectors.mT @ _symmetric_part(gradient.to(eigenvalues.dtype)) @ eigenvectors
        slopes = _divided_differences(eigenvalues, ctx.floor)
        return (eigenvectors @ (slopes * in_eigenbasis) @ eigenvectors.mT).to(gradient.dtype), None


def _divided_differences(eigenvalues, floor):
    """(max(a, floor) - max(b, floor)) / (a - b) for all pairs of eigenvalues (..., n), shape (..., n, n)."""
    larger = torch.maximum(eigenvalues[..., :, None], eigenvalues[..., None, :])
    smaller = torch.minimum(eigenvalues[..., :, None], eigenvalues[..., None, :])
    straddling = (smaller <= floor) & (floor < larger)
    # On one side of the floor the quotient is 1 or 0 even if they are equal; only a straddling pair divides.
    quotient = (larger - floor) / torch.where(straddling, larger - smaller, 1)
    return torch.where(straddling, quotient, (smaller > floor).to(eigenvalues.dtype))


def _symmetric_part(matrices):
    return (matrices + matrices.mT) / 2
