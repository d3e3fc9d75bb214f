"""Whether a training collapsed: a network that has not learned, or gives one score, is not merely weak.

Estimators ask at the end of `fit` and warn; :func:`why_collapsed` judges what is fitted, for tables.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from skad.utils.validation import foreground_of, rows_with_foreground

_SAME = 1e-6  # relative spread of scores below which they are one score
_EMPTY = 1e-3  # weight below which a component of a mixture explains nothing
_FOLLOWS = 0.1  # correlation with the images below which references follow nothing
_IDENTICAL = 1e-3  # residual, relative to the spread of the images, below which references are the images
EPOCHS = 5  # for so many epochs at the end something has to be wrong before an estimator warns
_SAME_DIVERGENCE = 0.01  # relative difference below which two divergences are the same
_CONSTANT = 0.05  # spread of reconstructions, relative to that of the images, below which they are constant
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
    visible = rows_with_foreground(X)
    if len(visible) < 2:
        return False
    sample = np.array(X[visible[:: -(-len(visible) // _SLICES)]], dtype=np.float32)
    foreground = foreground_of(sample)[:, None]
    output = np.where(foreground, reconstruct(sample), 0)
    rounding = 1e-5 * np.abs(output).max(axis=(0, 2, 3))
    return bool(
        (_rms_spread(output, foreground) <= _CONSTANT * _rms_spread(sample, foreground) + rounding).all()
    )


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
    return len(real) == EPOCHS and bool((np.abs(real - reconstructed) <= _SAME_DIVERGENCE * real).all())


def constant_score(anomaly):
    """Why a map is of no use: one score for every pixel; None where it is not.

    Parameters
    ----------
    anomaly : array of any shape
        NaN background.

    Examples
    --------
    >>> constant_score(np.array([2.0, 2.0, np.nan])), constant_score(np.array([2.0, 3.0]))
    ('the score is constant', None)
    """
    low, high = np.nanmin(anomaly), np.nanmax(anomaly)
    same = float(high) - float(low) <= _SAME * max(abs(float(low)), abs(float(high)))
    return "the score is constant" if same else None


def says_nothing(maximum: float, median: float) -> bool:
    """Whether the summary of a map, its largest and median score, shows that all scores are the same.

    Parameters
    ----------
    maximum, median : float

    Returns
    -------
    bool
    """
    return maximum <= median


def loss_did_not_fall(curve):
    """Why a training was none: its loss is where it began; None where it fell.

    We ask that the median of the last third of the epochs lies below the first epoch by more than three of
    the last third's standard deviations, so that noise does not count as learning. Fewer than two epochs tell
    nothing.

    Parameters
    ----------
    curve : sequence of float
        Loss of every epoch.

    Examples
    --------
    >>> loss_did_not_fall([3.0, 2.0, 1.5, 1.4]), loss_did_not_fall([3.0, 3.1, 2.9, 3.0, 2.95, 3.05])
    (None, 'the loss did not fall by more than its noise (3 to 3 ± 0.05)')
    """
    if len(curve) < 2:
        return None
    last = np.array(curve[-max(1, len(curve) // 3) :])
    if curve[0] - np.median(last) > 3 * last.std():
        return None
    last = f"{np.median(last):.4g} ± {last.std():.2g}"
    return f"the loss did not fall by more than its noise ({curve[0]:.4g} to {last})"


def no_reference(pairs):
    """Why references are none: they do not follow the images, or are the images; None where they are.

    We ask for a correlation of at least 0.1 over the foreground in one contrast or more: even a generator
    that knows only how bright a slice is reaches it, a constant does not. And we ask that the residual of one
    contrast or more has at least a thousandth of the spread of its images: scores of less rank rounding.

    Parameters
    ----------
    pairs : array of shape (n_samples, 2, n_contrasts, height, width)
        Of training slices, NaN background.

    Examples
    --------
    >>> images = np.random.default_rng(0).normal(size=(3, 1, 2, 4, 5))
    >>> no_reference(np.concatenate([images, images / 2], axis=1))
    >>> no_reference(np.concatenate([images, 0 * images], axis=1))
    'the references do not follow the images'
    >>> no_reference(np.concatenate([images, images + 1e-7], axis=1))
    'the references are the images themselves'
    """
    pairs = np.array(pairs, dtype=np.float64)
    residual = np.nanmean((pairs[:, 0] - pairs[:, 1]) ** 2, axis=(0, 2, 3))
    pairs -= np.nanmean(pairs, axis=(0, 3, 4), keepdims=True)
    images, references = pairs[:, 0], pairs[:, 1]
    if (residual <= _IDENTICAL**2 * np.nanmean(images**2, axis=(0, 2, 3))).all():
        return "the references are the images themselves"
    covariance = np.nansum(images * references, axis=(0, 2, 3))
    norms = np.sqrt(np.nansum(images**2, axis=(0, 2, 3)) * np.nansum(references**2, axis=(0, 2, 3)))
    follows = covariance > _FOLLOWS * norms
    return None if follows.any() else "the references do not follow the images"


def at_the_floor(estimator):
    """Why a mixture is none: every eigenvalue of its components is the floor; None where one is not."""
    floor = getattr(estimator, "eigenvalue_floor", getattr(estimator, "reg_covar", None))
    if not hasattr(estimator, "covariances_") or floor is None:
        return None
    carrying = np.asarray(estimator.weights_) > _EMPTY
    eigenvalues = np.linalg.eigvalsh(np.asarray(estimator.covariances_)[carrying])
    at_floor = (eigenvalues <= 1.001 * floor).all()
    return "every covariance is at the eigenvalue floor" if at_floor else None


def why_collapsed(
    estimator: Any, maps: Iterable[Any] = (), *, pairs: Any = None, warned: Sequence[str] = ()
) -> str | None:
    """Tell why the training of an estimator collapsed, or return None if it did not.

    Parameters
    ----------
    estimator : estimator
        Fitted. In adversarial training the reconstruction error is examined; in an ensemble, every member.
    maps : iterable of array, default=()
        Anomaly maps of the estimator, NaN background.
    pairs : array of shape (n_samples, 2, n_contrasts, height, width), default=None
        For a reconstructor: some images and their references.
    warned : sequence of str, default=()
        Warnings raised during training.

    Returns
    -------
    str or None
        The first reason found; scores of a collapsed run should not be reported.

    See Also
    --------
    skad.benchmark.run_study : Marks collapsed runs in its tables.

    Examples
    --------
    >>> import numpy as np
    >>> from skad.evaluation import why_collapsed
    >>> from skad.scoring import IntensityScorer
    >>> X = np.random.default_rng(0).normal(size=(2, 1, 8, 9))
    >>> scorer = IntensityScorer().fit(X)
    >>> why_collapsed(scorer, [-scorer.score_samples(X)]), why_collapsed(scorer, [0 * X])
    (None, 'the score is constant')
    """
    history = getattr(estimator, "history_", {})
    curve = history.get("reconstruction_error", getattr(estimator, "loss_curve_", ()))
    members = map(why_collapsed, getattr(estimator, "scorers_", ()))
    reasons = [loss_did_not_fall(curve), at_the_floor(estimator), *members, *map(constant_score, maps)]
    reasons += [*warned, None if pairs is None else no_reference(pairs)]
    return next(filter(None, reasons), None)


def _rms_spread(images, foreground):
    """Root mean square deviation from the mean image over the foreground, shape (n_contrasts,)."""
    images = np.where(foreground, images, 0).astype(np.float64)
    mean = images.sum(axis=0) / np.maximum(foreground.sum(axis=0), 1)
    squares = np.where(foreground, images - mean, 0) ** 2
    return np.sqrt(squares.sum(axis=(0, 2, 3)) / max(1, foreground.sum()))
