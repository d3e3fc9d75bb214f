"""Scanner units to units that mean the same in every patient, and back."""

from dataclasses import dataclass

import numpy as np

# Robust ends of an intensity range, percent of the foreground (we; Nyul & Udupa 1999 use similar ones).
LOW_PERCENT, HIGH_PERCENT = 0.5, 99.5


@dataclass(frozen=True, eq=False)
class IntensityMap:
    """A rising piecewise linear function of intensity.

    Parameters
    ----------
    knots, values : float arrays of shape (n_knots,)
        Intensities and what they become; rising.
    clip : bool
        Whether what lies beyond the ends becomes the end value; otherwise the outer pieces go on.
    """

    knots: np.ndarray
    values: np.ndarray
    clip: bool = False

    def forward(self, image):
        """Normalized intensities, float32 of the image's shape."""
        return _piecewise(image, self.knots, self.values, self.clip)

    def inverse(self, image):
        """Intensities in the scanner's units; exact for what was not clipped."""
        return _piecewise(image, self.values, self.knots, self.clip)


def zscore(intensities):
    """The map to zero mean and unit variance (A).

    Parameters
    ----------
    intensities : float array of shape (n_voxels,)
        One contrast in the foreground of one subject.

    Returns
    -------
    IntensityMap

    Raises
    ------
    ValueError
        All intensities are equal.

    Examples
    --------
    >>> import numpy as np
    >>> zscore(np.array([1.0, 3.0])).forward(np.array([1.0, 2.0, 3.0]))
    array([-1.,  0.,  1.], dtype=float32)
    """
    check_varies(intensities)
    mean, deviation = np.mean(intensities, dtype=float), np.std(intensities, dtype=float)
    return IntensityMap(np.array([mean, mean + deviation]), np.array([0.0, 1.0]))


def robust_range(intensities):
    """The map of the foreground's range, less half a percent at each end, to [-1, 1] (K).

    Parameters
    ----------
    intensities : float array of shape (n_voxels,)

    Returns
    -------
    IntensityMap

    Raises
    ------
    ValueError
        All intensities are equal.
    """
    return IntensityMap(np.array(robust_ends(intensities)), np.array([-1.0, 1.0]), clip=True)


def robust_ends(intensities):
    """Low and high end of the intensities, without the outermost half percent; low < high."""
    check_varies(intensities)
    # ends are intensities that occur: two voxels have nothing between interpolated percentiles
    low = np.percentile(intensities, LOW_PERCENT, method="lower")
    high = np.percentile(intensities, HIGH_PERCENT, method="higher")
    if low == high:  # nearly all voxels are equal: only the full range tells them apart
        low, high = np.min(intensities), np.max(intensities)
    return float(low), float(high)


def check_varies(intensities):
    """Raise where there is nothing to normalize by."""
    if not np.max(intensities) > np.min(intensities):
        raise ValueError("is constant in the foreground: check the image, or leave the subject out.")


def _piecewise(image, knots, values, clip):
    mapped = np.interp(image, knots, values)
    if not clip:
        slopes = np.diff(values) / np.diff(knots)
        below, above = image < knots[0], image > knots[-1]
        mapped[below] = values[0] + slopes[0] * (image[below] - knots[0])
        mapped[above] = values[-1] + slopes[-1] * (image[above] - knots[-1])
    return mapped.astype(np.float32)
