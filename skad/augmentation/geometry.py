"""Views of the patient: flips and affine transforms that images, foreground and labels undergo together."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skad.nn.segmentation_loss import one_hot_labels
from skad.nn.warping import warp_foreground

_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]
UNLABELED = -1


class Geometry(BaseEstimator):
    """Random flip and affine transform of each slice of a batch.

    Both images of a pair move alike.

    Parameters
    ----------
    flip : bool, default=True
        Mirror the last axis (left-right) with probability 1/2.
    rotation : float, default=0.0
        Largest rotation, degrees, either direction.
    scaling : float, default=0.0
        Largest relative change of size (0.1: 0.9 to 1.1).
    translation : float, default=0.0
        Largest shift, as a fraction of the image's size; what leaves the image is cropped.

    See Also
    --------
    skad.augmentation.Intensity : Views of the scanner, which leave labels alone.
    skad.augmentation.Augmentation : Both in the order that training needs.

    Notes
    -----
    The transforms of a batch are one affine grid on the device of the images. Interpolation is bilinear and
    normalized over the foreground, so that the background does not bleed into it.

    References
    ----------
    (A, 2.4): flip, translation, crop. (K): flip, scaling, rotation. The amounts are ours where the papers are
    silent.

    Examples
    --------
    >>> import torch
    >>> from skad.augmentation import Geometry
    >>> images, foreground = torch.rand(4, 2, 7, 9), torch.ones(4, 1, 7, 9, dtype=torch.bool)
    >>> labels = torch.full((4, 7, 9), 3)
    >>> moved, inside, labels = Geometry(rotation=30.0)(images, foreground, labels)
    >>> moved.shape, labels[~inside[:, 0]].unique()  # labels that left the foreground are -1
    (torch.Size([4, 2, 7, 9]), tensor([-1]))
    """

    _parameter_constraints = {
        "flip": ["boolean"],
        "rotation": _NON_NEGATIVE,
        "scaling": [Interval(Real, 0, 1, closed="left")],
        "translation": _NON_NEGATIVE,
    }

    def __init__(self, *, flip=True, rotation=0.0, scaling=0.0, translation=0.0):
        self.flip = flip
        self.rotation = rotation
        self.scaling = scaling
        self.translation = translation

    def __call__(
        self, images: Tensor, foreground: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Move a batch.

        Parameters
        ----------
        images : Tensor of shape (n, ..., n_contrasts, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)
        labels : int64 Tensor of shape (n, height, width), default=None
            Negative where a pixel has none.

        Returns
        -------
        images, foreground : Tensors of the same shapes
            Image values outside the foreground are arbitrary.
        labels : int64 Tensor of the same shape
            Only if labels are given. -1 outside the foreground and where they were negative.

        Raises
        ------
        InvalidParameterError
            A parameter is outside its domain.

        Notes
        -----
        Labels are interpolated as one channel per class, and each pixel gets the class with the largest
        share.
        """
        self._validate_params()
        if labels is None:
            return self._moved(images, foreground)
        labels = torch.where(foreground[:, 0], labels, UNLABELED).clamp(min=UNLABELED)
        classes, indices = labels.unique(return_inverse=True)
        shares = one_hot_labels(indices, len(classes))
        together = torch.cat([images.flatten(1, -3), shares], dim=1)
        together, foreground = self._moved(together, foreground)
        moved, shares = together.split([together.shape[1] - len(classes), len(classes)], dim=1)
        labels = torch.where(foreground[:, 0], classes[shares.argmax(dim=1)], UNLABELED)
        return moved.reshape(images.shape), foreground, labels

    def _moved(self, images, foreground):
        if self.rotation or self.scaling or self.translation:
            images, foreground = self._transform(images, foreground)
        if self.flip:
            mirrored = torch.rand(len(images), device=images.device) < 0.5
            images = torch.where(_match(mirrored, images), images.flip(-1), images)
            foreground = torch.where(_match(mirrored, foreground), foreground.flip(-1), foreground)
        return images, foreground

    def _transform(self, images, foreground):
        moved, share = warp_foreground(images, foreground, self._affine(images))
        return moved, share > 0.5

    def _affine(self, images):
        n, height, width = images.shape[0], images.shape[-2], images.shape[-1]
        angle = torch.deg2rad(self.rotation * _uniform(n, images))
        scale = 1 / (1 + self.scaling * _uniform(n, images))  # the grid maps output to input pixels
        cos, sin = scale * angle.cos(), scale * angle.sin()
        shift = 2 * self.translation
        top = torch.stack([cos, -sin * height / width, shift * _uniform(n, images)], dim=1)
        bottom = torch.stack([sin * width / height, cos, shift * _uniform(n, images)], dim=1)
        return torch.stack([top, bottom], dim=1)


def _uniform(n, like):
    return 2 * torch.rand(n, device=like.device) - 1


def _match(flags, images):
    return flags.view(-1, *[1] * (images.dim() - 1))
