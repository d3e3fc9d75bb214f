"""The residual of an image and its normal reference: the only definition, for NumPy arrays and Tensors."""

KINDS = {
    "signed": lambda difference: difference,
    "absolute": abs,
    "squared": lambda difference: difference**2,
    "signed squared": lambda difference: difference * abs(difference),
}
"""What is made of image minus reference; "absolute" is (A, eq. 5)."""


def residual(observed, reference, kind="absolute", *, smooth=None, spread=None):
    """What an image has and its reference has not.

    Parameters
    ----------
    observed, reference : array or Tensor of shape (..., n_contrasts, height, width)
        NaN in either gives NaN. A missing contrast should show its reference
        (:func:`skad.utils.validation.with_missing_from_reference`), so that its residual is 0.
    kind : {"absolute", "signed", "squared", "signed squared"}, default="absolute"
    smooth : callable, default=None
        Smoothing of the signed residual inside the foreground.
    spread : array or Tensor of the same shape, default=None
        Standard deviation of the signed residual that is expected of a normal image: the residual is given in
        its units.

    Returns
    -------
    array or Tensor of the same shape
        Positive, if signed, where the image is brighter than its reference.

    Examples
    --------
    >>> import numpy as np
    >>> observed, reference = np.array([1.0, 5.0]), np.array([3.0, 2.0])
    >>> residual(observed, reference), residual(observed, reference, "signed", spread=2.0)
    (array([2., 3.]), array([-1. ,  1.5]))
    """
    difference = observed - reference
    if smooth is not None:
        difference = smooth(difference)
    if spread is not None:
        difference = difference / spread
    return KINDS[kind](difference)
