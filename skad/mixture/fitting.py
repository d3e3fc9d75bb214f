"""Gaussian mixtures fitted to a sample of pixels, on request without those that look abnormal."""

from collections.abc import Callable

import numpy as np
from sklearn.mixture import GaussianMixture

from skad.utils.typing import Array, FloatArray
from skad.utils.validation import foreground_of

Mixture = tuple[FloatArray, FloatArray, FloatArray]


def sample_pixels(X, max_pixels, generator):
    """Foreground pixels drawn without replacement, every slice in proportion to its foreground.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_contrasts, height, width)
        NaN background; read slice by slice.
    max_pixels : int
        All pixels where there are not more.
    generator : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (n_pixels, n_contrasts)
    """
    counts = np.array([np.count_nonzero(foreground_of(image[None])) for image in X])
    total = int(counts.sum())
    chosen = np.sort(generator.choice(total, min(max_pixels, total), replace=False))
    pixels, first = [], 0
    for image, count in zip(X, counts, strict=True):
        start, stop = np.searchsorted(chosen, [first, first + count])
        pixels.append(image[:, foreground_of(image[None])[0]].T[chosen[start:stop] - first])
        first += count
    return np.concatenate(pixels).astype(np.float64)


def fit_mixture(
    pixels: Array,
    n_components: int,
    *,
    reg_covar: float = 1e-3,
    max_iter: int = 100,
    seed: int = 0,
) -> Mixture:
    """Maximum likelihood by scikit-learn's expectation maximization, on standardized features.

    Standardizing makes the fit equivariant: scaling and shifting a feature scales and shifts the mixture.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels, n_features)
    n_components : int
    reg_covar : float, default=1e-3
        Added to the variances, in units of each feature's variance over the pixels.
    max_iter : int, default=100
        Most steps of expectation maximization.
    seed : int, default=0
        Of the k-means clustering that EM starts from.

    Returns
    -------
    weights : ndarray of shape (n_components,)
    means : ndarray of shape (n_components, n_features)
    covariances : ndarray of shape (n_components, n_features, n_features)

    Raises
    ------
    ValueError
        Fewer different pixels than components.
    """
    if len(np.unique(pixels, axis=0)) < n_components:
        raise ValueError(
            f"n_components={n_components} needs at least as many distinct foreground pixels; "
            "use fewer components or more slices."
        )
    center, scale = pixels.mean(axis=0), pixels.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    mixture = GaussianMixture(n_components, reg_covar=reg_covar, max_iter=max_iter, random_state=seed)
    mixture.fit((pixels - center) / scale)
    return mixture.weights_, mixture.means_ * scale + center, mixture.covariances_ * np.outer(scale, scale)


def fit_trimmed_mixture(
    pixels: Array,
    n_components: int,
    anomaly: Callable[[Mixture, Array], FloatArray],
    *,
    trimmed: float = 0.1,
    n_rounds: int = 4,
    **kwargs,
) -> Mixture:
    """Fit a mixture that leaves out the pixels it finds most abnormal.

    Concentration steps as of the trimmed likelihood estimator: fit, leave out the share of pixels with the
    highest anomaly, fit to the rest anew, and so on. Every fit starts afresh: from where the last one ended,
    a component that holds a lesion would stay there.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels, n_features)
    n_components : int
    anomaly : callable
        ``anomaly(mixture, pixels)`` -> ndarray of shape (n_pixels,), high is abnormal.
    trimmed : float in [0, 1), default=0.1
        Share of pixels that is left out; with 0 it is :func:`fit_mixture`.
    n_rounds : int, default=4
        How often.
    **kwargs
        Of :func:`fit_mixture`.

    Returns
    -------
    weights, means, covariances
        As of :func:`fit_mixture`.

    References
    ----------
    Neykov et al., Robust fitting of mixtures using the trimmed likelihood estimator, Comput. Stat. Data
    Anal. 52(1), 2007. Garcia-Lorenzo et al., Trimmed-likelihood estimation for focal lesions and tissue
    segmentation in multisequence MRI for multiple sclerosis, IEEE Trans. Med. Imaging 30(8), 2011.
    """
    mixture = fit_mixture(pixels, n_components, **kwargs)
    for _ in range(n_rounds if trimmed else 0):
        scores = anomaly(mixture, pixels)
        kept = pixels[scores <= np.quantile(scores, 1 - trimmed)]
        mixture = fit_mixture(kept, n_components, **kwargs)
    return mixture
