"""Maps weighed by the local prevalence of lesions as `skad fit` and `skad score` do, for slices in memory."""

import numpy as np

from skad.postprocessing import add_local_prevalence
from skad.weighed_offset import weighed_offset

PREVALENCE_SMOOTHING = 24.0  # mm, that of `skad fit` and `skad quick`


def of_volumes(change, anomaly, volume, position, pixel_size):
    """Maps changed volume by volume.

    Parameters
    ----------
    change : callable
        ``change(maps, positions, pixel_size)`` of the slices of one volume.
    anomaly : ndarray of shape (n_slices, height, width)
    volume : int ndarray of shape (n_slices,)
        Volume of each slice.
    position : ndarray of shape (n_slices,)
        mm.
    pixel_size : ndarray of shape (n_slices, 2)
        mm.
    """
    changed = np.empty_like(anomaly)
    for index in np.unique(volume):
        rows = volume == index
        changed[rows] = change(anomaly[rows], position[rows], pixel_size[rows][0])
    return changed


def weighed(anomaly, volume, position, pixel_size):
    """Maps weighed by the local prevalence."""
    return of_volumes(_weigh, anomaly, volume, position, pixel_size)


def pixel_sizes(stack):
    """Height and width of a pixel of every slice, mm, shape (n_slices, 2)."""
    return np.array([placement.pixel_size for placement in stack.placements])[stack.volume_index]


def weighed_stack(anomaly, stack):
    """The same of the maps of a stack of slices."""
    return weighed(anomaly, stack.volume_index, stack.positions, pixel_sizes(stack))


def threshold_of_weighed(scorer, X, pixel_size):
    """The threshold of a detector with this scorer, fitted to these normal slices."""
    return -weighed_offset(scorer, X, pixel_size, PREVALENCE_SMOOTHING)


def _weigh(maps, positions, pixel_size):
    return add_local_prevalence(maps, positions, pixel_size, PREVALENCE_SMOOTHING)
