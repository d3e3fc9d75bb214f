"""Random views of a batch of slices: geometry, then intensity."""

from sklearn.base import BaseEstimator
from torch import Tensor

from skad.augmentation.geometry import Geometry


class Augmentation(BaseEstimator):
    """Random views of a batch: geometry (the patient) first, then intensity (the scanner).

    Labels are given to the geometry only, so no change of intensity can reach them.

    Parameters
    ----------
    geometry : Geometry or None, default=None
        Flips and affine transforms of images, foreground and labels.
    intensity : callable or None, default=None
        ``intensity(images, foreground) -> images``, such as :class:`Intensity`.

    See Also
    --------
    skad.training.Training : Applies an augmentation to every batch.

    Examples
    --------
    >>> import torch
    >>> from skad.augmentation import Augmentation, Geometry, Intensity
    >>> views = Augmentation(Geometry(rotation=10.0), Intensity(gamma=0.2))
    >>> images, foreground = torch.rand(4, 2, 7, 9), torch.ones(4, 1, 7, 9, dtype=torch.bool)
    >>> images, foreground = views(images, foreground)
    """

    _parameter_constraints = {"geometry": [Geometry, None], "intensity": [callable, None]}

    def __init__(self, geometry=None, intensity=None):
        self.geometry = geometry
        self.intensity = intensity

    def __call__(self, images: Tensor, foreground: Tensor, *labels: Tensor) -> tuple[Tensor, ...]:
        """Augment a batch.

        Parameters
        ----------
        images : Tensor of shape (n, ..., n_contrasts, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)
        *labels : int64 Tensor of shape (n, height, width)
            At most one.

        Returns
        -------
        images, foreground, *labels : tuple of Tensors of the same shapes
            Image values outside the foreground are arbitrary.

        Raises
        ------
        InvalidParameterError
            A parameter is outside its domain.
        """
        self._validate_params()
        if self.geometry is not None:
            images, foreground, *moved = self.geometry(images, foreground, *labels)
            labels = tuple(moved)
        if self.intensity is not None:
            images = self.intensity(images, foreground)
        return images, foreground, *labels
