"""Random views of a batch of slices, computed on the device: one affine grid per batch."""

from numbers import Real

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.nn.gaussian_blur import gaussian_blur

_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]


class Augmentation(BaseEstimator):
    """Flip, affine and intensity changes drawn anew for every slice of a batch.

    Every image of a pair is changed alike, so that a residual keeps its meaning.

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
    intensity_scaling : float, default=0.0
        Standard deviation of the logarithm of a factor, drawn per slice and contrast.
    intensity_shift : float, default=0.0
        Standard deviation of an offset, drawn per slice and contrast, in units of the images.
    gamma : float, default=0.0
        Standard deviation of the logarithm of an exponent, drawn per slice and contrast, of the intensities
        between the darkest and the brightest pixel of the foreground: another tone curve.
    sharpness : float, default=0.0
        Largest share of the fine detail (an image minus itself blurred by 1 pixel) that is added or taken
        away, drawn per slice and contrast; never more is taken away than there is. Scanners differ in it.

    References
    ----------
    (A, 2.4): flip, translation, crop, intensity scaling. (K): flip, scaling, rotation. We draw them per batch
    on the device; the amounts are ours where the papers are silent.
    """

    _parameter_constraints = {
        "flip": ["boolean"],
        "rotation": _NON_NEGATIVE,
        "scaling": [Interval(Real, 0, 1, closed="left")],
        "translation": _NON_NEGATIVE,
        "intensity_scaling": _NON_NEGATIVE,
        "intensity_shift": _NON_NEGATIVE,
        "gamma": _NON_NEGATIVE,
        "sharpness": _NON_NEGATIVE,
    }

    def __init__(
        self,
        *,
        flip=True,
        rotation=0.0,
        scaling=0.0,
        translation=0.0,
        intensity_scaling=0.0,
        intensity_shift=0.0,
        gamma=0.0,
        sharpness=0.0,
    ):
        self.flip = flip
        self.rotation = rotation
        self.scaling = scaling
        self.translation = translation
        self.intensity_scaling = intensity_scaling
        self.intensity_shift = intensity_shift
        self.gamma = gamma
        self.sharpness = sharpness

    def __call__(self, images, foreground):
        """Change a batch.

        Parameters
        ----------
        images : Tensor of shape (n, ..., n_contrasts, height, width)
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        images, foreground : Tensors of the same shapes
            What the images say outside the foreground does not matter.

        Raises
        ------
        InvalidParameterError
            A parameter is outside its domain.
        """
        self._validate_params()
        if self.rotation or self.scaling or self.translation:
            images, foreground = self._move(images, foreground)
        if self.flip:
            mirrored = torch.rand(len(images), device=images.device) < 0.5
            images = torch.where(_match(mirrored, images), images.flip(-1), images)
            foreground = torch.where(_match(mirrored, foreground), foreground.flip(-1), foreground)
        if self.sharpness:
            amount = self.sharpness * (2 * torch.rand(_per_contrast(images), device=images.device) - 1)
            images = images + amount.clamp(min=-1) * _detail(images, foreground)
        if self.gamma:
            exponent = (self.gamma * torch.randn(_per_contrast(images), device=images.device)).exp()
            images = _tone(images, foreground, exponent)
        return self._recolour(images), foreground

    def _move(self, images, foreground):
        grid = F.affine_grid(self._affine(images), [len(images), 1, *images.shape[-2:]], align_corners=False)
        weights = foreground.to(images.dtype)
        flat = images.flatten(1, -3) * weights
        moved = F.grid_sample(flat, grid, mode="bilinear", align_corners=False)
        share = F.grid_sample(weights, grid, mode="bilinear", align_corners=False)
        moved = moved / share.clamp(min=1e-6)  # normalised: the background does not bleed into the foreground
        return moved.view_as(images), share > 0.5

    def _affine(self, images):
        n, height, width = len(images), *images.shape[-2:]
        angle = torch.deg2rad(self.rotation * _uniform(n, images))
        scale = 1 / (1 + self.scaling * _uniform(n, images))  # the grid says where a pixel comes from
        cos, sin = scale * angle.cos(), scale * angle.sin()
        shift = 2 * self.translation
        top = torch.stack([cos, -sin * height / width, shift * _uniform(n, images)], dim=1)
        bottom = torch.stack([sin * width / height, cos, shift * _uniform(n, images)], dim=1)
        return torch.stack([top, bottom], dim=1)

    def _recolour(self, images):
        shape = _per_contrast(images)
        if self.intensity_scaling:
            images = images * (self.intensity_scaling * torch.randn(shape, device=images.device)).exp()
        if self.intensity_shift:
            images = images + self.intensity_shift * torch.randn(shape, device=images.device)
        return images


def _per_contrast(images):
    """Shape of a number for every slice and contrast, the same in both images of a pair."""
    return (len(images), *[1] * (images.dim() - 4), images.shape[-3], 1, 1)


def _detail(images, foreground):
    """Images minus themselves blurred by 1 pixel inside the foreground."""
    flat, weights = images.flatten(1, -3), foreground.to(images.dtype)
    share = gaussian_blur(weights, sigma=1.0, radius=3)
    blurred = gaussian_blur(flat * weights, sigma=1.0, radius=3) / share.clamp(min=1e-6)
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


def _uniform(n, like):
    return 2 * torch.rand(n, device=like.device) - 1


def _match(flags, images):
    return flags.view(-1, *[1] * (images.dim() - 1))
