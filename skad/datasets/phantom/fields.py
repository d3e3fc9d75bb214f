"""Smooth random fields in millimeters: the source of every anatomical variation of the phantom."""

import math

import numpy as np
from scipy import ndimage

_EXTENT = 288.0  # mm; side of the periodic box the fields live in, larger than any head
_FINEST = 3.0  # mm; lattice spacing below which a field costs more than it shows


def smooth_field(rng, points, smoothness):
    """Gaussian random field of zero mean and unit variance, sampled at points.

    The field lives on a lattice of its own, so the same generator state gives the same field whatever
    grid it is sampled on.

    Parameters
    ----------
    rng : numpy.random.Generator
    points : ndarray of shape (3, ...)
        World coordinates, mm.
    smoothness : float
        Standard deviation of the Gaussian kernel that smooths the white noise, mm.

    Returns
    -------
    field : float32 ndarray of shape points.shape[1:]
    """
    spacing = max(smoothness / 1.5, _FINEST)
    size = math.ceil(_EXTENT / spacing)
    lattice = rng.standard_normal((size, size, size), dtype=np.float32)
    lattice = ndimage.gaussian_filter(lattice, smoothness / spacing, mode="wrap")
    lattice /= lattice.std()
    coordinates = points / spacing + size / 2
    return ndimage.map_coordinates(lattice, coordinates, order=1, mode="grid-wrap")


def soft_step(distance, width):
    """Inside of a surface, from 1 to 0: linear in its signed distance (mm, negative inside) over `width`."""
    return np.clip(0.5 - distance / width, 0, 1)
