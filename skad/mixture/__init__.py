"""Gaussian mixtures as plain functions of tensors: moments, eigenvalue floor, energy (A, section 2.2.3)."""

from skad.mixture.eigenvalue_floor import count_floored, floor_eigenvalues
from skad.mixture.energy import energy, log_responsibilities
from skad.mixture.maps import energy_map, foreground_pixels, stream_mixture
from skad.mixture.moments import mixture_moments
from skad.mixture.singularity import SingularCovarianceError, require_nonsingular, singularity_penalty
from skad.mixture.sufficient_statistics import SufficientStatistics

__all__ = [
    "SingularCovarianceError",
    "SufficientStatistics",
    "count_floored",
    "energy",
    "energy_map",
    "floor_eigenvalues",
    "foreground_pixels",
    "log_responsibilities",
    "mixture_moments",
    "require_nonsingular",
    "singularity_penalty",
    "stream_mixture",
]
