"""Random views of labelled slices: what moves the image moves its labels."""

import torch
from sklearn.base import clone

from skad.augmentation import Augmentation
from skad.nn.segmentation_loss import one_hot_labels


class LabelledViews:
    """Turn labels into indices of classes, and augment images and indices alike.

    Parameters
    ----------
    classes : ndarray of int, shape (n_classes,)
        Ascending.
    augmentation : Augmentation or None

    Notes
    -----
    Indices take part in the geometry as one channel per class (and one for the pixels without a label), and
    each pixel gets the class with the largest share: a nearest neighbour that looks at all of the pixel.
    Intensities are changed afterwards, in the image only.
    """

    def __init__(self, classes, augmentation=None):
        self.classes = torch.as_tensor(classes)
        self.move = self.recolour = None
        if augmentation is not None:
            intensity = {n: getattr(augmentation, n) for n in ("intensity_scaling", "intensity_shift")}
            self.move = clone(augmentation).set_params(**dict.fromkeys(intensity, 0.0))
            self.recolour = Augmentation(flip=False, **intensity)

    def __call__(self, images, foreground, labels):
        """Augment a batch.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)
        labels : int64 Tensor of shape (n, height, width)
            Of `classes`, or negative.

        Returns
        -------
        images, foreground : Tensors of the same shapes
        indices : int64 Tensor of shape (n, height, width)
            Into `classes`; -1 where the label is negative and in the background.
        """
        indices = torch.searchsorted(self.classes.to(labels.device), labels.clamp(min=0))
        indices = torch.where((labels >= 0) & foreground[:, 0], indices, -1)
        if self.move is None:
            return images, foreground, indices
        shares = one_hot_labels(indices + 1, len(self.classes) + 1)
        n_contrasts = images.shape[1]
        moved, foreground = self.move(torch.cat([images, shares], dim=1), foreground)
        indices = torch.where(foreground[:, 0], moved[:, n_contrasts:].argmax(dim=1) - 1, -1)
        images, _ = self.recolour(moved[:, :n_contrasts], foreground)
        return images, foreground, indices
