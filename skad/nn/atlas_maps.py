"""How far every contrast of a pixel is from normal slices at the same place: maps for a network."""

import torch
from torch import nn

from skad.nn.gaussian_blur import gaussian_blur

LARGEST = 8.0  # standard deviations at which maps are clipped
SMOOTHING = 2.0  # pixels, of the mean and the variance at every place
SMALLEST_SHARE = (
    0.25  # of the overall variance: where slices hardly differ, noise would be divided by nothing
)


class AtlasMaps(nn.Module):
    """One map per contrast: its deviation from the mean at its place, in standard deviations.

    Parameters
    ----------
    n_contrasts, height, width : int
        Of the slices.

    Notes
    -----
    We. Of use where slices of all patients show the same anatomy at the same place, as axial slices of one
    level in a common space do. Mean and variance are smoothed by a Gaussian of 2 pixels; the variance at a
    place is at least a quarter of that over all places.

    Examples
    --------
    >>> import torch
    >>> maps = AtlasMaps(1, 7, 9)
    >>> maps.set_slices(torch.randn(50, 1, 7, 9), torch.ones(50, 1, 7, 9, dtype=torch.bool))
    >>> maps(torch.zeros(2, 1, 7, 9)).shape
    torch.Size([2, 1, 7, 9])
    """

    def __init__(self, n_contrasts, height, width):
        super().__init__()
        self.n_contrasts, self.height, self.width = n_contrasts, height, width
        self.register_buffer("mean", torch.zeros(n_contrasts, height, width))
        self.register_buffer("spread", torch.ones(n_contrasts, height, width))

    def set_slices(self, images, foreground):
        """Learn mean and variance at every place.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Finite everywhere.
        foreground : bool Tensor of shape (n, 1, height, width)
        """
        inside = foreground.to(images.dtype)
        moments = [(images**power * inside).sum(0, keepdim=True) for power in (0, 1, 2)]
        count, *sums = (gaussian_blur(each, SMOOTHING, round(3 * SMOOTHING)) for each in moments)
        mean, square = (each / count.clamp(min=1e-3) for each in sums)
        total, *overall = (each.sum((0, 2, 3))[:, None, None] for each in moments)
        variance = overall[1] / total.clamp(min=1) - (overall[0] / total.clamp(min=1)).square()
        self.mean.copy_(mean[0])
        self.spread.copy_(torch.maximum(square - mean.square(), SMALLEST_SHARE * variance)[0].sqrt())

    def forward(self, images):
        """The maps.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)

        Returns
        -------
        Tensor of shape (n, n_contrasts, height, width)
            Within -8 and 8 standard deviations.
        """
        deviations = (images - self.mean) / self.spread.clamp(min=1e-6)
        return deviations.clamp(-LARGEST, LARGEST)


def share_explained_by_place(images, foreground):
    """Share of the variance of slices that their mean at every place explains, from 0 to 1.

    Parameters
    ----------
    images : Tensor of shape (n, n_contrasts, height, width)
        Finite everywhere.
    foreground : bool Tensor of shape (n, 1, height, width)

    Returns
    -------
    float
        Mean over the contrasts. About 0 where slices show different anatomy at a place, however few they are:
        places with less than two slices do not count, and the variance at a place is the unbiased one.
    """
    inside = foreground.to(images.dtype)
    count = inside.sum(0, keepdim=True)
    inside = inside * (count > 1)
    at_place = (images * inside).sum(0, keepdim=True) / count.clamp(min=1)
    overall = (images * inside).sum((0, 2, 3)) / inside.sum().clamp(min=1)
    within = ((images - at_place).square() * inside * count / (count - 1).clamp(min=1)).sum((0, 2, 3))
    around = ((images - overall[:, None, None]).square() * inside).sum((0, 2, 3))
    return float((1 - within / around.clamp(min=1e-12)).mean())
