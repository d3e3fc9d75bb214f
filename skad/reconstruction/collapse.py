"""A trained autoencoder that has collapsed: its output does not depend on its input any more."""

import warnings

import numpy as np

from skad.utils.validation import foreground_of

EPOCHS = 5  # for so many epochs at the end something has to be wrong
SAME = 0.01  # relative difference below which two divergences are the same
CONSTANT = 0.01  # spread of the output, relative to that of the images, below which it is constant
_SLICES = 64  # slices whose reconstructions are looked at


class CollapseWarning(UserWarning):
    """Training ended in a network whose reconstructions say nothing about the image."""


def warn_of_collapse(estimator, reasons):
    """One warning that names the reasons and the remedies; nothing without reasons.

    Parameters
    ----------
    estimator : object
    reasons : list of str
        Each "what is wrong, what to do".
    """
    if reasons:
        warnings.warn(
            f"{type(estimator).__name__} has collapsed and should not be used: " + "; ".join(reasons) + ".",
            CollapseWarning,
            stacklevel=3,
        )


def constant_output(reconstruct, X):
    """Whether reconstructions hardly differ between slices.

    Parameters
    ----------
    reconstruct : callable
        Slices (n, n_contrasts, height, width), NaN background, to their reconstructions.
    X : ndarray of shape (n_samples, n_contrasts, height, width)
        Training slices; up to 64 with foreground, evenly spread, are looked at.

    Returns
    -------
    bool
        False for fewer than two slices with foreground.
    """
    visible = np.flatnonzero([not np.isnan(x).all() for x in X])
    if len(visible) < 2:
        return False
    sample = np.array(X[visible[:: -(-len(visible) // _SLICES)]], dtype=np.float32)
    foreground = foreground_of(sample)[:, None]
    output = np.where(foreground, reconstruct(sample), 0)
    rounding = 1e-5 * np.abs(output).max(axis=(0, 2, 3))
    return bool((_spread(output, foreground) <= CONSTANT * _spread(sample, foreground) + rounding).all())


def same_divergence(kl_real, kl_reconstructed):
    """Whether images and their reconstructions looked alike to the encoder in all of the last epochs.

    Parameters
    ----------
    kl_real, kl_reconstructed : list of float
        Of every epoch, nats.

    Examples
    --------
    >>> same_divergence([9.0, *[50.0] * 5], [3.0, *[50.2] * 5]), same_divergence([50.0] * 4, [50.0] * 4)
    (True, False)
    """
    real, reconstructed = np.array(kl_real[-EPOCHS:]), np.array(kl_reconstructed[-EPOCHS:])
    return len(real) == EPOCHS and bool((np.abs(real - reconstructed) <= SAME * real).all())


def _spread(images, foreground):
    """Root mean square deviation from the mean image over the foreground, shape (n_contrasts,)."""
    images = np.where(foreground, images, 0).astype(np.float64)
    mean = images.sum(axis=0) / np.maximum(foreground.sum(axis=0), 1)
    squares = np.where(foreground, images - mean, 0) ** 2
    return np.sqrt(squares.sum(axis=(0, 2, 3)) / max(1, foreground.sum()))
