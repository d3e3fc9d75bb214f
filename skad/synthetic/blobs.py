"""Blobs: regions whose intensity is shifted and whose structure is partly lost."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from skad.synthetic.placement import draw_shapes, smooth_noise, uniform


class Blobs(BaseEstimator):
    """Synthetic lesions: blobs with a soft, irregular edge.

    Inside: the local mean, plus a fraction of the tissue's own structure, plus a shift of its own in every
    contrast, plus a smooth texture. All amounts are in standard deviations of a contrast over the foreground
    of the slice.

    Parameters
    ----------
    n_lesions : (int, int), default=(1, 2)
        Smallest and largest number per slice.
    radius : (float, float), default=(3.0, 24.0)
        Smallest and largest radius, pixels at 128 x 128, drawn log-uniformly and scaled with the image.
        ``(1.0, 4.0)`` with ``n_lesions=(1, 8)`` gives small lesions such as plaques and metastases.
    shift : (float, float), default=(0.4, 3.0)
        Size of the largest shift among the contrasts; the others are smaller, each of either sign.
    signs : None or sequence of {-1, 0, 1}, default=None
        Per contrast: only darker (-1), either (0) or only brighter (1) lesions. None is either in all. Use it
        for prior knowledge of a disease, such as "bright on FLAIR".
    structure : (float, float), default=(0.2, 1.0)
        Fraction of the tissue's own structure that is left.
    texture : float, default=0.4
        Largest standard deviation of the texture.
    warp : float, default=0.25
        Irregularity of the outline, see :func:`skad.synthetic.placement.draw_shapes`.

    See Also
    --------
    skad.synthetic.Lesions : More varied lesions.

    Notes
    -----
    We, after the planted lesions of FPI, DRAEM and DISYRE.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Blobs
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = Blobs().plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
    """

    _parameter_constraints = {
        "n_lesions": [tuple, list],
        "radius": [tuple, list],
        "shift": [tuple, list],
        "signs": [tuple, list, None],
        "structure": [tuple, list],
        "texture": [Interval(Real, 0, None, closed="left")],
        "warp": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        n_lesions=(1, 2),
        radius=(3.0, 24.0),
        shift=(0.4, 3.0),
        signs=None,
        structure=(0.2, 1.0),
        texture=0.4,
        warp=0.25,
    ):
        self.n_lesions = n_lesions
        self.radius = radius
        self.shift = shift
        self.signs = signs
        self.structure = structure
        self.texture = texture
        self.warp = warp

    def plant(self, images, foreground):
        """Plant lesions into normal slices.

        Parameters
        ----------
        images : Tensor of shape (n, n_contrasts, height, width)
            Finite everywhere.
        foreground : bool Tensor of shape (n, 1, height, width)

        Returns
        -------
        images : Tensor of shape (n, n_contrasts, height, width)
            Changed only where the mask is not zero.
        mask : Tensor of shape (n, 1, height, width)
            0 normal, 1 lesion, between on the rim.
        """
        fewest, most = self.n_lesions
        if not 0 <= fewest <= most:
            raise ValueError(
                f"n_lesions should be (fewest, most) with 0 <= fewest <= most, got {self.n_lesions}."
            )
        self._check_signs(images.shape[1])
        counts = torch.randint(fewest, most + 1, (len(images),), device=images.device)
        spread = foreground_spread(images, foreground)
        mask = torch.zeros_like(images[:, :1])
        for i in range(most):
            shape = draw_shapes(foreground, radius=self.radius, warp=self.warp)
            soft = shape.mask * (i < counts)[:, None, None, None]
            images = torch.lerp(images, self._lesion(images, soft, shape.frame, spread), soft)
            mask = torch.maximum(mask, soft)
        return images, mask

    def _check_signs(self, n_contrasts):
        if self.signs is None:
            return
        if len(self.signs) != n_contrasts or not set(self.signs) <= {-1, 0, 1}:
            raise ValueError(
                f"signs should be -1, 0 or 1 for each of the {n_contrasts} contrasts, got {self.signs}."
            )

    def _lesion(self, images, mask, frame, spread):
        (n, n_contrasts), device = images.shape[:2], images.device
        mean = (images * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1e-6)
        structure = uniform(n, *self.structure, device=device)[:, None, None, None]
        grain = uniform(n, 0.0, self.texture, device=device)[:, None, None, None]
        texture = grain * smooth_noise(frame, n_contrasts)
        return mean + structure * (images - mean) + (self._shifts(n, n_contrasts, device) + texture) * spread

    def _shifts(self, n, n_contrasts, device):
        direction = uniform((n, n_contrasts), -1.0, 1.0, device=device)
        direction = direction / direction.abs().amax(dim=1, keepdim=True)
        if self.signs is not None:
            signs = torch.as_tensor(self.signs, dtype=direction.dtype, device=device)
            direction = torch.where(signs == 0, direction, signs * direction.abs())
        return (direction * uniform(n, *self.shift, device=device)[:, None])[:, :, None, None]


def foreground_spread(images, foreground):
    """Standard deviation over the foreground of every slice, shape (n, n_contrasts, 1, 1)."""
    count = foreground.sum((2, 3), keepdim=True).clamp(min=1)
    mean = (images * foreground).sum((2, 3), keepdim=True) / count
    return (((images - mean) * foreground).square().sum((2, 3), keepdim=True) / count).sqrt()
