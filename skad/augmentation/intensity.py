"""Views of the scanner: changes of intensity that leave every pixel, and so every label, where it is."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skad.nn.gaussian_blur import blur_foreground

_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]


class Intensity(BaseEstimator):
    """Random sharpness, tone curve, factor and offset of each slice and contrast of a batch.

    Both images of a pair change alike, so that a residual keeps its meaning.

    Parameters
    ----------
    scaling : float, default=0.0
        Standard deviation of the logarithm of a factor.
    shift : float, default=0.0
        Standard deviation of an offset, in units of the images.
    gamma : float, default=0.0
        Standard deviation of the logarithm of an exponent that is applied to the intensities between the
        darkest and the brightest pixel of the foreground.
    sharpness : float, default=0.0
        Largest share of the fine detail (an image minus itself blurred by 1 pixel) that is added or taken
        away; never more is taken away than there is.

    See Also
    --------
    skad.augmentation.Geometry : Views of the patient, which labels follow.
    skad.augmentation.Augmentation : Both in the order that training needs.

    References
    ----------
    (A, 2.4): intensity scaling. The rest, and all amounts, are ours.

    Examples
    --------
    >>> import torch
    >>> from skad.augmentation import Intensity
    >>> images, foreground = torch.rand(4, 2, 7, 9), torch.ones(4, 1, 7, 9, dtype=torch.bool)
    >>> Intensity(gamma=0.3, sharpness=1.0)(images, foreground).shape
    torch.Size([4, 2, 7, 9])
    """

    _parameter_constraints = {
        "scaling": _NON_NEGATIVE,
        "shift": _NON_NEGATIVE,
        "gamma": _NON_NEGATIVE,
        "sharpness": _NON_NEGATIVE,
    }

    def __init__(self, *, scaling=0.0, shift=0.0, gamma=0.0, sharpness=0.0):
        self.scaling = scaling
        self.shift = shift
        self.gamma = gamma
        self.sharpness = sharpness

    def __call__(self, images: Tensor, foreground: Tensor) -> Tensor:
        """Change the intensities of a batch.

        Parameters
        ----------
        images : Tensor of shape (n, ..., n_contrasts, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        Tensor of the shape of images
            Values outside the foreground are arbitrary.

        Raises
        ------
        InvalidParameterError
            A parameter is outside its domain.
        """
        self._validate_params()
        shape = _per_contrast(images)
        if self.sharpness:
            amount = self.sharpness * (2 * torch.rand(shape, device=images.device) - 1)
            images = images + amount.clamp(min=-1) * _detail(images, foreground)
        if self.gamma:
            exponent = (self.gamma * torch.randn(shape, device=images.device)).exp()
            images = _tone(images, foreground, exponent)
        if self.scaling:
            images = images * (self.scaling * torch.randn(shape, device=images.device)).exp()
        if self.shift:
            images = images + self.shift * torch.randn(shape, device=images.device)
        return images


def _per_contrast(images):
    """Shape of a number for every slice and contrast, the same in both images of a pair."""
    return (len(images), *[1] * (images.dim() - 4), images.shape[-3], 1, 1)


def _detail(images, foreground):
    """Images minus themselves blurred by 1 pixel inside the foreground."""
    flat = images.flatten(1, -3)
    blurred = blur_foreground(flat, foreground, sigma=1.0, radius=3)
    return torch.where(foreground, flat - blurred, 0).view_as(images)


def _tone(images, foreground, exponent):
    """Intensities to a power; the darkest and brightest of the foreground (of both images of a pair) stay."""
    pixels = images.flatten(1, -4) if images.dim() > 4 else images[:, None]
    inside = foreground[:, None]
    low = torch.where(inside, pixels, torch.inf).amin((1, 3, 4), keepdim=True)
    high = torch.where(inside, pixels, -torch.inf).amax((1, 3, 4), keepdim=True)
    span = (high - low).clamp(min=1e-6)
    toned = low + span * ((pixels - low) / span).clamp(0, 1) ** exponent.view(len(images), 1, -1, 1, 1)
    return torch.where(inside, toned, pixels).view_as(images)
