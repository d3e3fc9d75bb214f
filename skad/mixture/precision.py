"""In which floating-point type a mixture is computed: decided here, once."""

import torch

MAX_FLOAT64_FEATURES = 32


def working_dtype(features):
    """The type that moments, eigenvalues and energies of these features are computed in.

    float64 while the features are few, because eigenvalues near the floor of 1e-6 drown in the rounding error
    of float32 as soon as others are near 10 (We).  On a CPU that costs nothing: `benchmarks/energy.py`
    measures both.

    Parameters
    ----------
    features : Tensor of shape (..., n_features)

    Returns
    -------
    torch.float64 up to 32 features on a device that has it, otherwise the features' own type, at least
    float32.

    Examples
    --------
    >>> working_dtype(torch.zeros(5, 7)), working_dtype(torch.zeros(5, 64))
    (torch.float64, torch.float32)
    """
    few = features.shape[-1] <= MAX_FLOAT64_FEATURES
    if few and features.device.type != "mps":  # Apple's GPUs have no float64
        return torch.float64
    return torch.promote_types(features.dtype, torch.float32)


def without_autocast(tensor):
    """A context without mixed precision on the device of ``tensor``: bfloat16 has too few digits here."""
    return torch.autocast(tensor.device.type, enabled=False)
