"""Histogram landmarks learned from a cohort: white matter becomes the middle of the range."""

import numpy as np
from scipy import ndimage, signal

from skad.preprocessing.intensity import IntensityMap, robust_ends

# Quartiles of the intensities on each side of the white-matter peak (we: because they are taken on each side,
# they come in the same order in every subject, which deciles of the whole histogram and the peak do not).
QUARTILES = (25, 50, 75)
# A peak counts when it rises above its surroundings by this share of the highest one.
SMALLEST_PROMINENCE = 0.1


def histogram_landmarks(intensities, *, brightest=False):
    """Nine rising intensities that describe a histogram: ends, white-matter peak, quartiles on both sides of
    it.

    Parameters
    ----------
    intensities : float array of shape (n_voxels,)
        One contrast in the foreground of one subject.
    brightest : bool, default=False
        Where white matter is: the brightest peak (T1-weighted images) or the highest one (all others).

    Returns
    -------
    float array of shape (9,)

    Raises
    ------
    ValueError
        All intensities are equal.
    """
    low, high = robust_ends(intensities)
    peak = white_matter_peak(intensities, brightest=brightest)
    below, above = intensities[intensities <= peak], intensities[intensities >= peak]
    inner = [np.percentile(side, QUARTILES) if side.size else [peak] * 3 for side in (below, above)]
    landmarks = np.clip([low, *inner[0], peak, *inner[1], high], low, high)
    # equal landmarks have no place to be mapped to
    return landmarks + 1e-6 * (high - low) * np.arange(len(landmarks))


def white_matter_peak(intensities, *, brightest=False, n_bins=200):
    """Intensity of the histogram's white-matter peak.

    Parameters
    ----------
    intensities : float array of shape (n_voxels,)
    brightest : bool, default=False
        Take the brightest peak that stands out, not the highest.
    n_bins : int, default=200

    Returns
    -------
    float
    """
    counts, edges = np.histogram(intensities, bins=n_bins, range=robust_ends(intensities))
    smooth = ndimage.gaussian_filter1d(counts.astype(float), n_bins / 50, mode="constant")
    peaks, _ = signal.find_peaks(np.pad(smooth, 1), prominence=SMALLEST_PROMINENCE * smooth.max())
    peaks = peaks - 1
    chosen = peaks[-1] if brightest else peaks[smooth[peaks].argmax()]
    return float(edges[chosen : chosen + 2].mean())


def standard_landmarks(landmarks):
    """Where landmarks go: the mean over subjects after the ends went to -1 and 1 and white matter to 0 (K).

    Parameters
    ----------
    landmarks : float array of shape (n_subjects, 9)

    Returns
    -------
    float array of shape (9,)
        Rises from -1 over 0 to 1.
    """
    scaled = [np.interp(one, one[[0, 4, 8]], (-1.0, 0.0, 1.0)) for one in np.atleast_2d(landmarks)]
    return np.mean(scaled, axis=0)


def match_landmarks(landmarks, standard):
    """The intensity map that takes a subject's landmarks to the cohort's; its range is [-1, 1]."""
    return IntensityMap(landmarks, standard, clip=True)
