"""The moments of more pixels than fit in memory, or that lie on several machines: streamed, then merged."""

from dataclasses import dataclass, field

import torch

from skad.mixture.moments import centered_sums, check_pixels, normalize_sums


@dataclass
class SufficientStatistics:
    """Counts, means and scatters of the components of a mixture, in float64 on the CPU.

    At the end of training the parameters of the mixture are estimated from all normal pixels (A, section
    2.2.3), a batch at a time. Two parts are joined around their common mean, component by component (Chan,
    Golub and LeVeque 1983), so no digits are lost where means are large, and any way to cut the pixels gives
    the same parameters up to rounding.

    Parameters
    ----------
    n_components, n_features : int
        Numbers of components and of features.

    Attributes
    ----------
    n_pixels : int
        Number of pixels seen.
    counts : float64 Tensor of shape (n_components,)
        Sum of the responsibilities.
    means : float64 Tensor of shape (n_components, n_features)
        Responsibility-weighted means.
    scatters : float64 Tensor of shape (n_components, n_features, n_features)
        Responsibility-weighted sum of the outer products of the deviations from the mean.

    See Also
    --------
    skad.mixture.stream_mixture : Estimates a mixture with it in one pass.

    References
    ----------
    Chan, Golub, LeVeque (1983). Algorithms for computing the sample variance. The American Statistician 37.

    Examples
    --------
    >>> features, responsibilities = torch.arange(6.0).view(6, 1), torch.ones(6, 1)
    >>> first = SufficientStatistics(1, 1).update(features[:2], responsibilities[:2])
    >>> rest = SufficientStatistics(1, 1).update(features[2:], responsibilities[2:])
    >>> weights, means, covariances = (first + rest).parameters()
    >>> means.item(), round(covariances.item(), 6)
    (2.5, 2.916667)
    """

    n_components: int
    n_features: int
    n_pixels: int = field(init=False, default=0)
    counts: torch.Tensor = field(init=False, repr=False)
    means: torch.Tensor = field(init=False, repr=False)
    scatters: torch.Tensor = field(init=False, repr=False)

    def __post_init__(self):
        self.counts = torch.zeros(self.n_components, dtype=torch.float64)
        self.means = torch.zeros(self.n_components, self.n_features, dtype=torch.float64)
        self.scatters = torch.zeros(self.n_components, self.n_features, self.n_features, dtype=torch.float64)

    @torch.no_grad()
    def update(self, features, responsibilities):
        """Add pixels; they are reduced where they lie, and only the sums travel to the CPU.

        Parameters
        ----------
        features : Tensor of shape (n_pixels, n_features)
        responsibilities : Tensor of shape (n_pixels, n_components)

        Returns
        -------
        SufficientStatistics
            Itself.
        """
        check_pixels(features, responsibilities)
        self._check_sizes(responsibilities.shape[1], features.shape[1])
        sums = (part.cpu() for part in centered_sums(_in_float64(features), _in_float64(responsibilities)))
        self._absorb(len(features), *sums)
        return self

    def __add__(self, other):
        """The statistics of both sets of pixels; neither operand changes."""
        if not isinstance(other, SufficientStatistics):
            return NotImplemented
        total = SufficientStatistics(self.n_components, self.n_features)
        for part in (self, other):
            total._check_sizes(part.n_components, part.n_features)
            total._absorb(part.n_pixels, part.counts, part.means, part.scatters)
        return total

    def parameters(self):
        """Weights, means and covariances of all pixels so far, in the shapes of `mixture_moments`.

        Raises
        ------
        ValueError
            If no pixel has been added.
        """
        return normalize_sums(self.n_pixels, self.counts, self.means, self.scatters)

    def _absorb(self, n_pixels, counts, means, scatters):
        shift = means - self.means
        total = self.counts + counts
        fraction = torch.where(total > 0, counts / total, 0)
        outer_products = shift[:, :, None] * shift[:, None, :]
        self.scatters = self.scatters + scatters + (self.counts * fraction)[:, None, None] * outer_products
        self.means = self.means + fraction[:, None] * shift
        self.counts = total
        self.n_pixels += n_pixels

    def _check_sizes(self, n_components, n_features):
        if (n_components, n_features) != (self.n_components, self.n_features):
            raise ValueError(
                f"Statistics of {self.n_components} components and {self.n_features} features can't take in "
                f"{n_components} components and {n_features} features."
            )


def _in_float64(tensor):
    # Apple's GPUs have no float64.
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).to(torch.float64)
