"""Lesions that show in some of the contrasts only."""

from numbers import Real

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval


class InSomeContrasts(BaseEstimator):
    """Plant the lesions of a family into a random subset of the contrasts, another one in every slice.

    Parameters
    ----------
    family : object with ``plant(images, foreground)``
    share : float in (0, 1], default=0.75
        Probability of each contrast, independent of the others; a subset is never empty. With three contrasts
        a lesion shows in one only in every seventh slice.

    Notes
    -----
    We. For changes of intensity or texture; what moves or loses anatomy shows in every contrast.
    """

    _parameter_constraints = {
        "family": [HasMethods("plant")],
        "share": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, family, *, share=0.75):
        self.family = family
        self.share = share

    def plant(self, images, foreground):
        """Plant lesions into normal slices; see :meth:`skad.synthetic.Blobs.plant`."""
        planted, mask = self.family.plant(images, foreground)
        lots = torch.rand(images.shape[:2], device=images.device)
        shown = (lots < self.share) | (lots == lots.amin(dim=1, keepdim=True))
        return torch.where(shown[:, :, None, None], planted, images), mask
