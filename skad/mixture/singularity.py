"""Covariances without an inverse: how they are recognized, and the penalty on small variances."""

import torch


class SingularCovarianceError(ValueError):
    """A covariance of a Gaussian mixture is singular or not finite, so its density is undefined.

    See Also
    --------
    skad.mixture.floor_eigenvalues : Keeps covariances positive definite.
    skad.mixture.require_nonsingular : Raises it.

    Examples
    --------
    >>> import torch
    >>> from skad.mixture import SingularCovarianceError, require_nonsingular
    >>> try:
    ...     require_nonsingular(torch.ones(1, 2, 2))
    ... except SingularCovarianceError:
    ...     print("singular")
    singular
    """


def require_nonsingular(covariances, *, rtol=1e-12):
    """Return the covariances unchanged, or raise an error if one of them is singular.

    It takes the place of `floor_eigenvalues` where a mixture is trained without the floor ("none" and
    "penalty", the two other curves of A, Fig. 8).  Exactly singular matrices are rare in floating point:
    rounding leaves eigenvalues around 1e-16 of the largest, of either sign, and a Cholesky factorisation that
    happens to succeed yields gradients of 1e16. So we stop at what float32 features can resolve.

    Parameters
    ----------
    covariances : Tensor of shape (n_components, n_features, n_features)
        Covariances of the components.
    rtol : float, default=1e-12
        Smallest ratio of a component's smallest to its largest eigenvalue.

    Returns
    -------
    Tensor of shape (n_components, n_features, n_features)
        The same object.

    Raises
    ------
    SingularCovarianceError
        If a component has a smaller ratio, or holds NaN or infinity.

    See Also
    --------
    skad.mixture.floor_eigenvalues : Repairs singular covariances instead.

    Examples
    --------
    >>> require_nonsingular(torch.eye(2)[None]).shape
    torch.Size([1, 2, 2])
    >>> require_nonsingular(torch.ones(1, 2, 2))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    skad.mixture.singularity.SingularCovarianceError: Covariances should be positive definite, but ...
    """
    require_finite(covariances)
    eigenvalues = torch.linalg.eigvalsh(covariances.detach().to(torch.float64))
    raise_if_singular(eigenvalues[..., 0] <= rtol * eigenvalues[..., -1])
    return covariances


def require_finite(covariances):
    """Raise `SingularCovarianceError` if covariances (..., n_features, n_features) hold NaN or infinity."""
    broken = ~covariances.detach().isfinite().all(dim=-1).all(dim=-1)
    if broken.any():
        raise SingularCovarianceError(
            f"Covariances should be finite, but those of component(s) {_positions(broken)} hold NaN or "
            "infinity: the features have diverged, use a lower learning rate or energy weight."
        )


def raise_if_singular(singular):
    """Raise `SingularCovarianceError` naming the components where ``singular`` (n_components,) is true."""
    if singular.any():
        raise SingularCovarianceError(
            f"Covariances should be positive definite, but those of component(s) {_positions(singular)} are "
            'singular: use singularity="floor", fewer components or features that do not repeat each other.'
        )


def singularity_penalty(covariances):
    """Sum of the inverse variances, which grows as a variance vanishes (A, section 2.7).

    A weights it by 1e-5 in the loss; here the caller does.  It prevents features that become constant but not
    features that become functions of each other, whose covariance is singular with a diagonal of any size.

    Parameters
    ----------
    covariances : Tensor of shape (n_components, n_features, n_features)
        Covariances of the components.

    Returns
    -------
    Tensor of shape ()
        Over all components and features; infinite where a variance is zero.

    See Also
    --------
    skad.mixture.floor_eigenvalues : Also prevents dependent features.

    Examples
    --------
    >>> singularity_penalty(torch.diag(torch.tensor([0.5, 4.0]))[None])
    tensor(2.2500)
    """
    return covariances.diagonal(dim1=-2, dim2=-1).reciprocal().sum()


def _positions(flags):
    return flags.flatten().nonzero().flatten().tolist()
