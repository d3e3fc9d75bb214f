"""Conditional distributions of contrasts over the foreground pixels of slices."""

from collections.abc import Callable, Sequence

import numpy as np

from skad.mixture.conditional import ConditionalMixture
from skad.mixture.fitting import Mixture
from skad.utils.typing import Array, FloatArray
from skad.utils.validation import foreground_of


def condition_on_others(
    mixture: Mixture,
    targets: Sequence[int],
    present: Sequence[int],
    given: Sequence[int] | None = None,
) -> list[ConditionalMixture]:
    """The distribution of every target given the other contrasts that are present.

    Parameters
    ----------
    mixture : (weights, means, covariances)
        As of :class:`ConditionalMixture`.
    targets, present : sequence of int
        Indices of contrasts; a target need not be present.
    given : sequence of int, default=None
        The only contrasts to condition on.

    Returns
    -------
    list of ConditionalMixture, one for each target
    """
    usable = [index for index in present if given is None or index in given]
    return [
        ConditionalMixture(*mixture, target, [index for index in usable if index != target])
        for target in targets
    ]


def conditional_maps(
    function: Callable[[ConditionalMixture, Array], FloatArray],
    mixture: Mixture,
    X: Array,
    targets: Sequence[int],
    given: Sequence[int] | None = None,
) -> FloatArray:
    """Apply a function of pixels to every target contrast of every slice.

    Parameters
    ----------
    function : callable
        ``function(conditional, pixels)`` -> ndarray of shape (n_pixels,), for pixels (n_pixels, n_contrasts).
    mixture, targets, given
        As in :func:`condition_on_others`; contrasts that a slice lacks are marginalized.
    X : ndarray of shape (n_samples, n_contrasts, height, width)
        NaN background.

    Returns
    -------
    ndarray of float32, shape (n_samples, n_targets, height, width)
        0 in the background.
    """
    maps = np.zeros((len(X), len(targets), *X.shape[2:]), dtype=np.float32)
    known = {}
    for image, result in zip(X, maps, strict=True):
        present = tuple(np.flatnonzero(~np.isnan(image).all(axis=(1, 2))).tolist())
        if present not in known:
            known[present] = condition_on_others(mixture, targets, present, given)
        inside = foreground_of(image[None])[0]
        pixels = image[:, inside].T.astype(np.float64)
        for values, conditional in zip(result, known[present], strict=True):
            values[inside] = function(conditional, pixels)
    return maps
