"""Lesions that show in some of the contrasts only."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval


class InSomeContrasts(BaseEstimator):
    """Restrict the lesions of a family to some of the contrasts.

    Parameters
    ----------
    family : object with ``plant(images, foreground)``
        The family of synthetic lesions.
    share : float in (0, 1], default=0.75
        Probability of each contrast, independent of the others; a subset is never empty. With three
        contrasts, one slice in seven shows the lesion in a single contrast.
    contrasts : sequence of int or None, default=None
        Indices of the contrasts that every lesion shows in; the family sees only these, and the others are
        unchanged. None draws a random subset for each slice, see `share`.

    See Also
    --------
    skad.synthetic.Blobs : A family that it suits.
    skad.model_selection.PseudoAnomalyScorer.for_contrasts : Plants lesions that are bright on FLAIR.

    Notes
    -----
    We. Meant for changes of intensity or texture; displaced or lost anatomy shows in every contrast.

    Examples
    --------
    >>> import torch
    >>> from skad.synthetic import Blobs, InSomeContrasts
    >>> images, foreground = torch.randn(4, 2, 24, 20), torch.ones(4, 1, 24, 20, dtype=torch.bool)
    >>> planted, mask = InSomeContrasts(Blobs()).plant(images, foreground)
    >>> planted.shape, mask.shape
    (torch.Size([4, 2, 24, 20]), torch.Size([4, 1, 24, 20]))
    """

    _parameter_constraints = {
        "family": [HasMethods("plant")],
        "share": [Interval(Real, 0, 1, closed="right")],
        "contrasts": ["array-like", None],
    }

    def __init__(self, family, *, share=0.75, contrasts=None):
        self.family = family
        self.share = share
        self.contrasts = contrasts

    def plant(self, images, foreground):
        """Plant lesions into normal slices; see :meth:`skad.synthetic.Blobs.plant`."""
        if self.contrasts is not None:
            chosen = list(self.contrasts)
            planted = images.clone()
            planted[:, chosen], mask = self.family.plant(images[:, chosen], foreground)
            return planted, mask
        planted, mask = self.family.plant(images, foreground)
        lots = torch.rand(images.shape[:2], device=images.device)
        shown = (lots < self.share) | (lots == lots.amin(dim=1, keepdim=True))
        return torch.where(shown[:, :, None, None], planted, images), mask
