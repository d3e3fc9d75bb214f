"""What is inside a planted lesion: intensities, structure, texture, rim."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.synthetic.placement import smooth_noise, to_device, uniform

_SHARE = [Interval(Real, 0, 1, closed="both")]
_LEVELS = 6  # of the tissue, in lesions whose shift depends on it
_SOFTNESS = 8.0  # of the border between core and rim, per radius


class Appearance(BaseEstimator):
    """Appearance of synthetic lesions: shift of each contrast, remaining structure and texture.

    Inside a lesion are the local mean, a fraction of the tissue's own structure, a shift per contrast, and
    texture. Amounts are in standard deviations of a contrast over the foreground of the slice.

    Parameters
    ----------
    shift : (float, float), default=(0.4, 3.0)
        Size of the largest shift among the contrasts; the others are smaller, each of either sign.
    signs : None or sequence of {-1, 0, 1}, default=None
        Per contrast: lesions are darker, of either sign, or brighter. None is either sign in every contrast.
        A prior improves the detection of lesions that obey it; lesions that do not are no longer detected.
    sign_share : float, default=0.8
        Share of the lesions that obey `signs`; the others have either sign.
    structure : (float, float), default=(0.2, 1.0)
        Fraction of the tissue's own structure that is left.
    texture : float, default=0.4
        Largest standard deviation of the texture, which is smooth noise common to the contrasts.
    rim : float, default=0.15
        Share of the lesions whose core has another shift than their rim: the rim's, times a number between
        -1 and 1.
    quantized : float, default=0.2
        Share of the lesions whose shift depends on the tissue: another fraction of it at each of 6 levels of
        a contrast (DISYRE).
    foreign : float, default=0.2
        Share of the lesions that carry the fine structure of another slice of the batch.

    See Also
    --------
    skad.synthetic.Lesions : Plants lesions with this appearance.

    References
    ----------
    Naval Marimont et al., ISBI 2024 (DISYRE): shifts by level of intensity. Tan et al. 2020: foreign tissue.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Appearance, Lesions
    >>> family = Lesions(appearance=Appearance(signs=(0, 1)))  # bright in the second contrast
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = family.plant(images, foreground)
    >>> planted.shape
    torch.Size([4, 2, 24, 20])
    """

    _parameter_constraints = {
        "shift": [tuple, list],
        "signs": [tuple, list, None],
        "sign_share": _SHARE,
        "structure": [tuple, list],
        "texture": [Interval(Real, 0, None, closed="left")],
        "rim": _SHARE,
        "quantized": _SHARE,
        "foreign": _SHARE,
    }

    def __init__(
        self,
        *,
        shift=(0.4, 3.0),
        signs=None,
        sign_share=0.8,
        structure=(0.2, 1.0),
        texture=0.4,
        rim=0.15,
        quantized=0.2,
        foreign=0.2,
    ):
        self.shift = shift
        self.signs = signs
        self.sign_share = sign_share
        self.structure = structure
        self.texture = texture
        self.rim = rim
        self.quantized = quantized
        self.foreign = foreign

    def draw(self, images, smooth, spread, *, rows, mask, shapes, source):
        """Intensities of every lesion.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Normal slices.
        smooth : Tensor of the shape of images
            The same, smoothed.
        spread : Tensor of shape (n, n_contrasts, 1, 1)
            Standard deviation of each contrast over the foreground.
        rows : int64 Tensor of shape (n_lesions,)
            Slice of each lesion.
        mask : Tensor of shape (n_lesions, 1, height, width)
        shapes : Shapes
            Ellipses of the lesions.
        source : int64 CPU Tensor of shape (n_lesions,)
            The lesion whose draws each lesion takes over; itself where it has its own.

        Returns
        -------
        Tensor of shape (n_lesions, n_contrasts, height, width)
        """
        self._check_signs(images.shape[1])
        m, n_contrasts, device = len(rows), images.shape[1], images.device
        alike, spread = to_device(source, device), spread[rows]
        own = images[rows]
        structure = uniform((m, 1, 1, 1), *self.structure, device=device)[alike]
        shift = self._shifts((m, n_contrasts), device)[alike][:, :, None, None] * spread
        content = torch.addcmul((1 - structure) * _mean_inside(own, mask) + shift, structure, own)
        grain = uniform((m, n_contrasts, 1, 1), -self.texture, self.texture, device=device)[alike]
        content.addcmul_(grain * spread, smooth_noise(shapes.frame, 1))
        for share, change in ((self.quantized, self._by_level), (self.rim, self._in_core)):
            lesions = self._some(share, source, device)
            if len(lesions):
                factor = change(own[lesions], shapes.take(lesions))
                content[lesions] += shift[lesions] * (factor - 1)
        lesions = self._some(self.foreign, source, device)
        if len(lesions):
            content[lesions] += _foreign_detail(images - smooth, rows[lesions])
        return content

    def _check_signs(self, n_contrasts):
        if self.signs is None:
            return
        if len(self.signs) != n_contrasts or not set(self.signs) <= {-1, 0, 1}:
            raise ValueError(
                f"signs should be -1, 0 or 1 for each of the {n_contrasts} contrasts, got {self.signs}."
            )

    def _some(self, share, source, device):
        """Lesions drawn with a probability, those that look alike together; int64 Tensor."""
        return to_device(torch.nonzero((torch.rand(len(source)) < share)[source]).flatten(), device)

    def _shifts(self, shape, device):
        direction = uniform(shape, -1.0, 1.0, device=device)
        direction = direction / direction.abs().amax(dim=1, keepdim=True)
        return self._obey(direction) * uniform(shape[0], *self.shift, device=device)[:, None]

    def _obey(self, direction):
        """The sign asked for, in the share of the lesions (first axis) that have it."""
        if self.signs is None:
            return direction
        signs = torch.as_tensor(self.signs, dtype=direction.dtype, device=direction.device)
        free = torch.rand(len(direction), 1, device=direction.device) >= self.sign_share
        return torch.where(free | (signs == 0), direction, signs * direction.abs())

    def _by_level(self, own, shapes):
        """Factor of the shift at every pixel: one for each level of the tissue in a random contrast."""
        n, device = len(own), own.device
        guide = own[torch.arange(n, device=device), torch.randint(own.shape[1], (n,), device=device)]
        center = guide.flatten(1).gather(1, shapes.center[:, None])[:, :, None]
        inside = shapes.mask[:, 0]
        spread = ((guide - center).square() * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1e-6)
        width = spread.sqrt().clamp(min=1e-6)[:, None, None]
        level = ((guide - center) / width + _LEVELS / 2).long().clamp(0, _LEVELS - 1)
        factor = uniform((n, _LEVELS), 0.0, 1.0, device=device)
        return factor.gather(1, level.flatten(1)).view(n, 1, *level.shape[1:])

    def _in_core(self, own, shapes):
        """Factor of the shift at every pixel: another one within a fraction of the radius."""
        radius, factor = (
            uniform((len(own), 1, 1, 1), low, high, device=own.device)
            for low, high in ((0.3, 0.8), (-1.0, 1.0))
        )
        return 1 + (0.5 + _SOFTNESS * (radius - shapes.distance)).clamp(0, 1) * (factor - 1)


def _mean_inside(images, mask):
    """Mean of every contrast in the mask, shape (n, n_contrasts, 1, 1)."""
    weights = mask.flatten(1)
    total = torch.bmm(images.flatten(2), weights[:, :, None])
    return (total / weights.sum(1).clamp(min=1e-6)[:, None, None])[..., None]


def _foreign_detail(detail, rows):
    """Fine structure of the next slice of the batch, moved by up to an eighth of the image."""
    down, right = (int(torch.randint(-size // 8, size // 8 + 1, ())) for size in detail.shape[-2:])
    return detail.roll((-1, down, right), (0, 2, 3))[rows]
