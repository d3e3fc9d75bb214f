"""Views of another scanner: tone curve, point spread, resolution, bias field, ghosts and noise."""

from numbers import Real

import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from torch import Tensor

from skad.nn.gaussian_blur import gaussian_blur

_SHARE = [Interval(Real, 0, 1, closed="both")]
_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]
_N_STEPS = 4  # of a tone curve
_CELLS = 4  # along each axis of the grid that a bias field is interpolated from
_COARSEST, _FINEST = 0.5, 0.9  # resolution of slices that are sampled down, relative to their own


class Scanner(BaseEstimator):
    """Random simulation of another scanner for each slice and contrast of a batch.

    Amounts are in standard deviations of a contrast over the foreground. Mean and standard deviation of the
    foreground are restored at the end, so that only the shape of the histogram changes; `scaling` and
    `shift` then move it. Both images of a pair change alike, except for noise.

    Parameters
    ----------
    tone : float, default=0.25
        Share of the slices whose intensities go through a random monotone curve: a line and 4 tanh steps.
    sharpness : (float, float), default=(-0.7, 1.0)
        Smallest and largest share of the fine detail (a contrast minus itself blurred by 1 pixel) that is
        added; negative shares blur, -1 is that blur itself.
    resolution : float, default=0.15
        Probability that a batch is sampled down, to 0.5 to 0.9 of its resolution along each axis, and up
        again.
    bias : float, default=0.2
        Largest amplitude of a smooth additive field.
    ghosts : float, default=0.03
        Largest amplitude of a copy of the slice that is moved along one axis, as motion leaves it.
    noise : float, default=0.1
        Largest standard deviation of white noise.
    scaling : float, default=0.0
        Standard deviation of the logarithm of a final factor.
    shift : float, default=0.0
        Standard deviation of a final offset.

    See Also
    --------
    skad.augmentation.Intensity : Sharpness, tone curve, factor and offset alone.
    skad.augmentation.Geometry : Views of the patient, which labels follow.

    Notes
    -----
    We. Where synthetic lesions are planted, scanner views come afterwards: a lesion goes through the scanner
    with its tissue, and a network can't tell it by sharper edges or less noise.

    Examples
    --------
    >>> import torch
    >>> from skad.augmentation import Scanner
    >>> images, foreground = torch.rand(4, 2, 7, 9), torch.ones(4, 1, 7, 9, dtype=torch.bool)
    >>> Scanner()(images, foreground).shape
    torch.Size([4, 2, 7, 9])
    """

    _parameter_constraints = {
        "tone": _SHARE,
        "sharpness": [tuple, list],
        "resolution": _SHARE,
        "bias": _NON_NEGATIVE,
        "ghosts": _NON_NEGATIVE,
        "noise": _NON_NEGATIVE,
        "scaling": _NON_NEGATIVE,
        "shift": _NON_NEGATIVE,
    }

    def __init__(
        self,
        *,
        tone=0.25,
        sharpness=(-0.7, 1.0),
        resolution=0.15,
        bias=0.2,
        ghosts=0.03,
        noise=0.1,
        scaling=0.0,
        shift=0.0,
    ):
        self.tone = tone
        self.sharpness = sharpness
        self.resolution = resolution
        self.bias = bias
        self.ghosts = ghosts
        self.noise = noise
        self.scaling = scaling
        self.shift = shift

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
        series = images if images.dim() == 5 else images[:, None]
        inside = foreground.to(images.dtype)[:, None]
        mean, spread = _moments(series[:, :1], inside)
        z = (series - mean) / spread * inside
        for change in (self._tone, self._sharpen, self._resample, self._add_bias, self._add_ghosts):
            z = change(z, inside)
        z = z + self._amount(z, self.noise) * torch.randn_like(z)
        z = self._rescale(_standardized(z, inside))
        return (z * spread + mean).view_as(images)

    def _tone(self, z, inside):
        if not self.tone:
            return z
        curve = 0.3 * z
        for _ in range(_N_STEPS):
            center, width, height = (_uniform(z) for _ in range(3))
            curve = curve + height * torch.tanh((z - (5 * center - 2)) / (0.5 + 1.5 * width))
        chosen = torch.rand(len(z), 1, 1, 1, 1, device=z.device) < self.tone
        return torch.where(chosen, _standardized(curve, inside), z)

    def _sharpen(self, z, inside):
        low, high = self.sharpness
        if not low and not high:
            return z
        share = gaussian_blur(inside[:, 0], 1.0, 2)[:, None].clamp(min=1e-6)
        blurred = gaussian_blur(z.flatten(1, 2), 1.0, 2).view_as(z) / share
        return z + (low + (high - low) * _uniform(z)) * (z - blurred) * inside

    def _resample(self, z, inside):
        """Sample down and up, the background weighing nothing."""
        if float(torch.rand(())) >= self.resolution:
            return z
        factors = _COARSEST + (_FINEST - _COARSEST) * torch.rand(2)
        size = [max(1, round(float(f) * n)) for f, n in zip(factors, z.shape[-2:], strict=True)]
        maps = torch.cat([z.flatten(1, 2), inside[:, 0]], dim=1)
        coarse = F.interpolate(maps, size=size, mode="bilinear", antialias=True)
        fine = F.interpolate(coarse, size=z.shape[-2:], mode="bilinear")
        return (fine[:, :-1] / fine[:, -1:].clamp(min=0.1)).view_as(z) * inside

    def _add_bias(self, z, inside):
        cells = torch.randn(len(z), z.shape[2], _CELLS, _CELLS, device=z.device)
        field = F.interpolate(cells, size=z.shape[-2:], mode="bilinear", align_corners=True)[:, None]
        return z + self._amount(z, self.bias) * field

    def _add_ghosts(self, z, inside):
        axis = 3 + int(torch.randint(2, ()))
        moved = z.roll(int(torch.randint(1 + z.shape[axis] // 8, 1 + z.shape[axis] // 2, ())), axis)
        return z + self._amount(z, self.ghosts) * moved

    def _rescale(self, z):
        shape = (len(z), 1, z.shape[2], 1, 1)
        factor = (self.scaling * torch.randn(shape, device=z.device)).exp()
        return z * factor + self.shift * torch.randn(shape, device=z.device)

    def _amount(self, z, largest):
        return largest * _uniform(z)


def _uniform(z):
    """A number from 0 to 1 for every slice and contrast, the same in all images of a series."""
    return torch.rand(len(z), 1, z.shape[2], 1, 1, device=z.device)


def _moments(z, inside):
    """Mean and standard deviation over the foreground, of every contrast of every image."""
    count = inside.sum((-2, -1), keepdim=True).clamp(min=1)
    mean = (z * inside).sum((-2, -1), keepdim=True) / count
    variance = ((z - mean).square() * inside).sum((-2, -1), keepdim=True) / count
    return mean, variance.sqrt().clamp(min=1e-6)


def _standardized(z, inside):
    """Mean 0 and standard deviation 1 of the first image of a series; the others change alike."""
    mean, spread = _moments(z[:, :1], inside)
    return (z - mean) / spread * inside
