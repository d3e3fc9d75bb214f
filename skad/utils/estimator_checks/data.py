"""The images that the checks run on: small, smooth, irregular background, one slice without foreground."""

import copy

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.base import clone

IMAGE_SIZE = (20, 24)  # unequal, so that swapped axes show
ALL_BACKGROUND = 3  # index of the slice without foreground


def make_check_images(n_samples=6, n_contrasts=2, image_size=IMAGE_SIZE, *, seed=0):
    """Smooth random slices whose contrasts share structure.

    Parameters
    ----------
    n_samples, n_contrasts : int
    image_size : (int, int)
        Height and width.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n_samples, n_contrasts, height, width)
        About unit variance. NaN outside an irregular outline, and everywhere in slice ``ALL_BACKGROUND``.
    """
    rng = np.random.default_rng(seed)
    shape = (n_samples, n_contrasts + 1, *image_size)
    fields = gaussian_filter(rng.normal(size=shape), (0, 0, 1.5, 1.5)) * 5.3  # about unit variance again
    images = 0.7 * fields[:, 1:] + 0.7 * fields[:, :1]
    rows, columns = (np.linspace(-1, 1, size) for size in image_size)
    radius = rows[:, None] ** 2 + columns**2 + 0.15 * fields[:, 0]
    images = np.where(radius[:, None] < 0.9, images, np.nan)
    images[ALL_BACKGROUND : ALL_BACKGROUND + 1] = np.nan  # none where there are fewer
    return images.astype(np.float32)


def as_pairs(images):
    """Images with a smoothed copy as their reference, shape (n_samples, 2, n_contrasts, height, width)."""
    smoothed = gaussian_filter(np.nan_to_num(images), (0, 0, 1.5, 1.5))
    return np.stack([images, np.where(np.isnan(images), images, smoothed)], axis=1)


class CheckData:
    """Input for one estimator in one of the two forms it may take.

    Parameters
    ----------
    pairs : bool
        Whether the estimator is given pairs (5-D) or images (4-D).
    image_size : (int, int)
        Height and width of the slices.
    """

    def __init__(self, *, pairs, image_size):
        self.pairs = pairs
        self.images = make_check_images(image_size=image_size)
        self.X = self.of(self.images)
        self.foreground = ~np.isnan(self.images).all(axis=1)
        self._last = None

    def of(self, images):
        """Images in the form that the estimator takes."""
        return as_pairs(images) if self.pairs else images

    def more(self, **kwargs):
        """Other input of the same form and size; parameters as of :func:`make_check_images`."""
        return self.of(make_check_images(image_size=self.images.shape[-2:], **kwargs))

    def fitted(self, estimator):
        """A fitted copy of ``estimator``; it is fitted once and copied for every check."""
        if self._last is None or self._last[0] is not estimator:
            self._last = (estimator, clone(estimator).fit(self.X))
        return copy.deepcopy(self._last[1])
