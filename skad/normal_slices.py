"""The lesion-free slices of volumes, and what a detector remembers of the scans they are from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from skad.calibration.profile import TrainingProfile, summarize_scan
from skad.calibration.training_scans import TrainingScans, image_digests
from skad.io import Volume
from skad.preprocessing import VolumePreprocessor
from skad.preprocessing.growing import RowFile, RowList
from skad.utils.progress import Progress
from skad.utils.typing import FloatArray, PathLike


@dataclass(frozen=True)
class NormalSlices:
    """What is learned from.

    Attributes
    ----------
    X : float32 ndarray or memmap of shape (n_slices, n_contrasts, height, width)
        Slices without a labeled pixel; all slices of volumes without labels. With their neighbors
        (n_slices, 3, n_contrasts, height, width).
    profile : TrainingProfile
        Ranges of the volumes.
    scans : TrainingScans
        Salted digests of the volumes.
    pixel_size : (float, float)
        Height and width of a pixel in most volumes (median), mm.
    """

    X: FloatArray
    profile: TrainingProfile
    scans: TrainingScans
    pixel_size: tuple[float, float]


def read_normal_slices(
    preprocessor: VolumePreprocessor,
    volumes: Sequence[Volume],
    out: PathLike | None = None,
    *,
    context: float | None = None,
    verbose: bool = False,
) -> NormalSlices:
    """Read volumes one after the other, every file once, and keep their lesion-free slices.

    Parameters
    ----------
    preprocessor : VolumePreprocessor
        Fitted; its ``n_jobs`` volumes are read at the same time.
    volumes : sequence of Volume
    out : path-like, default=None
        Write the slices to this .npy file instead of holding them in memory.
    context : float or None, default=None
        Distance of the neighbors that each slice comes with, mm; None for slices alone. A neighbor may show a
        lesion.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    NormalSlices

    Raises
    ------
    ValueError
        A volume lacks a contrast, or every slice of all volumes has a labeled pixel.
    """
    contrasts = preprocessor.contrasts_
    parts = Parallel(preprocessor.n_jobs, return_as="generator")(
        delayed(_lesion_free)(preprocessor, volume, context) for volume in volumes
    )
    shape = (len(contrasts), *preprocessor.size)
    shape = shape if context is None else (3, *shape)
    store = RowList(np.float32) if out is None else RowFile(Path(out), shape, np.float32)
    summaries, digests, pixel_sizes = [], [], []
    with store as rows, Progress("read", len(volumes), unit="volume", bar=verbose) as progress:
        for volume, (slices, summary, of_scan, pixel_size) in zip(volumes, parts, strict=True):
            rows.append(slices)
            summaries.append(summary)
            digests.extend(of_scan)
            pixel_sizes.append(pixel_size)
            progress.step(f"{volume.subject}: {len(slices)} slices")
    X = rows.result()
    if not len(X):
        raise ValueError(
            f"Every slice of the {len(volumes)} volumes has a labeled pixel: add normal volumes."
        )
    profile = TrainingProfile().fit(summaries, contrasts=contrasts)
    height, width = np.median(pixel_sizes, axis=0).tolist()
    return NormalSlices(X, profile, TrainingScans().fit_digests(digests), (height, width))


def _lesion_free(preprocessor, volume, context):
    """Slices without a lesion, what the scan looks like, the digests of its images, and its pixel size."""
    volume = volume.cached()  # every file is read once
    stack = preprocessor.transform([volume])
    if stack.missing_contrasts:
        raise ValueError(
            f"Subject {volume.subject!r} has no {stack.missing_contrasts[0]}, but training needs every "
            "contrast: leave the subject out."
        )
    X = stack.seen_with(context)
    normal = X if stack.y is None else X[~stack.y.any(axis=(1, 2))]
    return normal, summarize_scan(stack), image_digests(volume), stack.placements[0].pixel_size
