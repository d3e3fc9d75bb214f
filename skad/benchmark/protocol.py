"""Which slices of a patient a study takes, and how it enlarges the folds that are judged (A, 2.4)."""

import numpy as np
import torch

from skad.benchmark.components import build
from skad.training import seeded
from skad.utils.validation import foreground_of

_BATCH = 64  # slices that are augmented at a time


def central_slices(stack, n_slices):
    """Rows of the neighboring slices of each volume that hold the most foreground.

    A took 105 slices of a BraTS patient and 96 of an ISLES patient, and does not say which. (We)

    Parameters
    ----------
    stack : SliceStack
    n_slices : int
        Of a volume; all of one that has fewer.

    Returns
    -------
    ndarray of int
        Ascending.
    """
    rows = []
    for volume in dict.fromkeys(stack.volume_index.tolist()):
        of_volume = np.flatnonzero(stack.volume_index == volume)
        areas = [np.count_nonzero(foreground_of(stack.X[row : row + 1])) for row in of_volume]
        windows = np.convolve(areas, np.ones(min(n_slices, len(areas)), int), mode="valid")
        start = int(windows.argmax())
        rows.append(of_volume[start : start + n_slices])
    return np.concatenate(rows)


def views_of(images, labels, n_views, augmentation, *, seed=0):
    """Slices, and augmented copies of them behind them.

    Parameters
    ----------
    images : array of shape (n, n_contrasts, height, width)
        NaN background.
    labels : int array of shape (n, height, width)
    n_views : int
        How many times as many slices come out; the first n are the slices themselves.
    augmentation : dict
        Table of an augmentation.
    seed : int, default=0
        The same views at every call.

    Returns
    -------
    images : float32 ndarray of shape (n_views * n, n_contrasts, height, width)
    labels : ndarray of shape (n_views * n, height, width)
    """
    augment = build(augmentation, seed=seed)
    views = [(np.array(images, dtype=np.float32), np.array(labels))]
    with seeded(seed):
        for _ in range(n_views - 1):
            batches = [slice(start, start + _BATCH) for start in range(0, len(images), _BATCH)]
            parts = [_view(augment, images[batch], labels[batch]) for batch in batches]
            views.append(tuple(np.concatenate(each) for each in zip(*parts, strict=True)))
    return tuple(np.concatenate(each) for each in zip(*views, strict=True))


def _view(augment, images, labels):
    foreground = foreground_of(np.asarray(images))
    X = torch.from_numpy(np.where(foreground[:, None], np.nan_to_num(images), 0).astype(np.float32))
    inside = torch.from_numpy(foreground)[:, None]
    X, inside, y = augment(X, inside, torch.from_numpy(np.asarray(labels).astype(np.int64)))
    inside = inside[:, 0].numpy()
    y = np.where(inside, y.numpy(), 0).astype(labels.dtype)
    return np.where(inside[:, None], X.numpy(), np.float32(np.nan)), y
