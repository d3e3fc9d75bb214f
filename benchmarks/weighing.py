"""Maps weighed by the local prevalence of lesions as `skad fit` and `skad score` do, for slices in memory."""

import numpy as np

from skad.postprocessing import add_local_prevalence

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


def weighed_stack(anomaly, stack):
    """The same of the maps of a stack of slices."""
    sizes = np.array([placement.pixel_size for placement in stack.placements])
    return weighed(anomaly, stack.volume_index, stack.positions, sizes[stack.volume_index])


def threshold_of_weighed(scorer, X, pixel_size):
    """The detector's threshold: a quantile of training slices, if possible by fits that have not seen them.

    Parameters
    ----------
    scorer : PixelScorerMixin
        Fitted to `X`.
    X : ndarray
        Normal slices.
    pixel_size : (float, float)
        mm.
    """
    maps = [_weigh(-each[None], [0.0], pixel_size) for each in scorer._scores_as_new(X)]
    return float(np.nanquantile(np.concatenate(maps), 1 - scorer.contamination))


def _weigh(maps, positions, pixel_size):
    return add_local_prevalence(maps, positions, pixel_size, PREVALENCE_SMOOTHING)
