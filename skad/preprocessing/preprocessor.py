"""Volumes to slices that a network can learn from, and maps of the slices back to the volumes' own space."""

from collections.abc import Sequence
from contextlib import ExitStack
from numbers import Integral, Real
from pathlib import Path
from typing import Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skad.io import Volume, to_image
from skad.io.header import MAX_VOXELS
from skad.io.volumes import list_volumes
from skad.io.writing import NiftiImage
from skad.preprocessing.growing import RowFile, RowList
from skad.preprocessing.intensity import robust_range, zscore
from skad.preprocessing.landmarks import (
    histogram_landmarks,
    match_landmarks,
    standard_landmarks,
)
from skad.preprocessing.stack import SliceStack
from skad.preprocessing.subject import check_size, normalizers, place, read_axial, to_label_slices, to_slices
from skad.utils.contrasts import is_t1_weighted
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import Array, PathLike

_LARGEST_SIZE = 8192  # pixels along an axis


class VolumePreprocessor(DocumentationLinkMixin, BaseEstimator):
    """Convert volumes to normalized axial slices, and maps of slices to images in native space.

    The steps, each with its inverse: reorientation to axial slices, foreground, resampling, intensity
    normalization in the foreground, cropping or resizing. Images are assumed to be co-registered.

    Parameters
    ----------
    voxel_size : float, tuple of 3 float, or None, default=None
        Resample to this spacing, mm: one number, or right-left, anterior-posterior and inferior-superior.
        None keeps the volume's own.
    size : tuple of 2 int, default=(128, 128)
        Height (anterior-posterior) and width (right-left) of the slices, pixels.
    size_mode : {"auto", "resize", "crop"}, default="auto"
        How slices get `size`: "resize" scales the whole field of view with square pixels (A), so `voxel_size`
        is not the pixels' size; "crop" cuts or pads around the center and keeps the voxels as pixels (K).
        "auto" is "crop" when `voxel_size` is given, so that a pixel is as many mm in every patient, else
        "resize".
    intensity : {"zscore", "whitematter", "range"} or None, default="zscore"
        "zscore": zero mean and unit variance in the foreground (A); "whitematter": landmarks of the
        histogram, learned in `fit`, white matter in the middle of [-1, 1] (K); "range": the foreground's
        range to [-1, 1].
    mask : {"auto", "given", "nonzero", "otsu"} or None, default="auto"
        Where the foreground comes from, see `skad.preprocessing.foreground`.
    outside : {"nan", "zero"}, default="nan"
        What maps hold outside the foreground.
    slices : {"foreground", "all"}, default="foreground"
        Whether slices without foreground are left out.
    n_jobs : int or None, default=None
        Number of volumes preprocessed at the same time, as in scikit-learn.
    max_voxels : int, default=2**29
        A volume that has more voxels, as stored or at `voxel_size`, is refused before anything is allocated,
        because a header may declare any size. The default is 2 GiB per contrast.

    Attributes
    ----------
    contrasts_ : tuple of str
        Contrasts of the volumes seen in `fit`; others are ignored later.
    landmarks_ : float ndarray of shape (n_contrasts, 9)
        With ``intensity="whitematter"``: where the landmarks of each contrast go.

    See Also
    --------
    skad.preprocessing.SliceStack : The stack.
    skad.VolumeAnomalyDetector : A preprocessor and a pipeline in one estimator.

    References
    ----------
    Nyul, Udupa, Zhang (2000). New variants of a method of MRI scale standardization. IEEE Trans. Med. Imaging
    19(2).

    Examples
    --------
    >>> import numpy as np
    >>> from skad.io import Volume
    >>> from skad.preprocessing import VolumePreprocessor
    >>> brain = np.zeros((12, 10, 4))
    >>> brain[2:10, 2:8] = np.random.default_rng(0).uniform(1, 2, (8, 6, 4))
    >>> prepare = VolumePreprocessor(size=(16, 16))
    >>> stack = prepare.fit_transform([Volume({"T1w": brain}, np.eye(4), subject="sub-01")])
    >>> stack
    SliceStack(4 slices of 1 volumes, T1w, 16x16 pixels, without labels)
    >>> prepare.inverse_transform(stack.X[:, 0], stack)[0].shape
    (12, 10, 4)
    """

    _parameter_constraints = {
        "voxel_size": [Interval(Real, 0, None, closed="neither"), tuple, list, None],
        "size": [tuple, list],
        "size_mode": [StrOptions({"auto", "resize", "crop"})],
        "intensity": [StrOptions({"zscore", "whitematter", "range"}), None],
        "mask": [StrOptions({"auto", "given", "nonzero", "otsu"}), None],
        "outside": [StrOptions({"nan", "zero"})],
        "slices": [StrOptions({"foreground", "all"})],
        "n_jobs": [Integral, None],
        "max_voxels": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        voxel_size=None,
        size=(128, 128),
        size_mode="auto",
        intensity="zscore",
        mask="auto",
        outside="nan",
        slices="foreground",
        n_jobs=None,
        max_voxels=MAX_VOXELS,
    ):
        self.voxel_size = voxel_size
        self.size = size
        self.size_mode = size_mode
        self.intensity = intensity
        self.mask = mask
        self.outside = outside
        self.slices = slices
        self.n_jobs = n_jobs
        self.max_voxels = max_voxels

    def fit(self, volumes: Sequence[Volume], y: object = None) -> Self:
        """Learn the contrasts' names and, for ``intensity="whitematter"``, where their landmarks go.

        Parameters
        ----------
        volumes : list of Volume
            Their voxels are read only where intensities have to be learned.
        y : ignored

        Returns
        -------
        self
        """
        self._validate_params()
        volumes = list_volumes(volumes)
        self.contrasts_ = tuple(volumes[0].contrasts)
        if self.intensity == "whitematter":
            found = Parallel(self.n_jobs)(delayed(self._landmarks)(volume) for volume in volumes)
            self.landmarks_ = np.array([_standard(found, name) for name in self.contrasts_])
        return self

    def fit_transform(
        self, volumes: Sequence[Volume], y: object = None, *, out: PathLike | None = None
    ) -> SliceStack:
        """`fit`, then `transform`."""
        return self.fit(volumes).transform(volumes, out=out)

    def transform(self, volumes: Sequence[Volume], *, out: PathLike | None = None) -> SliceStack:
        """Slices of volumes, one volume in memory at a time (and job).

        Parameters
        ----------
        volumes : list of Volume
            With all of `contrasts_`; one that is NaN everywhere stays so (a missing contrast).
        out : path-like, default=None
            Write `X` to this .npy file and give it as a memmap, for cohorts larger than memory; labels go
            beside it, to a file whose name ends in _labels.npy.

        Returns
        -------
        SliceStack

        Raises
        ------
        ValueError
            Names the subject: a contrast it lacks, no foreground, a constant contrast, too many voxels.

        Warns
        -----
        UserWarning
            Cropping cuts foreground away; maps will be NaN there.
        """
        check_is_fitted(self, "contrasts_")
        volumes = list_volumes(volumes)
        labeled = all(volume.has_labels for volume in volumes)
        parts = Parallel(self.n_jobs, return_as="generator")(
            delayed(self._slice)(v, labeled) for v in volumes
        )
        height, width = self.size
        with ExitStack() as files:
            X = files.enter_context(_rows(out, "", (len(self.contrasts_), height, width), np.float32))
            y = files.enter_context(_rows(out, "_labels", (height, width), np.int16)) if labeled else None
            placements, indices = zip(*(_collect(part, X, y) for part in parts), strict=True)
        counts = [len(index) for index in indices]
        return SliceStack(
            X=X.result(),
            y=None if y is None else y.result(),
            groups=np.repeat([volume.subject for volume in volumes], counts),
            contrasts=self.contrasts_,
            volumes=list(volumes),
            volume_index=np.repeat(np.arange(len(volumes)), counts),
            slice_index=np.concatenate(indices),
            placements=list(placements),
        )

    def inverse_transform(
        self, maps: Array, stack: SliceStack, *, outside: str | None = None
    ) -> list[NiftiImage]:
        """Maps of a stack's slices as images in the patients' own space.

        Parameters
        ----------
        maps : float array of shape (n_slices, height, width)
            For example an anomaly map; NaN in the background.
        stack : SliceStack
            What `transform` returned.
        outside : {"nan", "zero"} or None, default=None
            What the images hold outside the foreground; None is the parameter `outside`.

        Returns
        -------
        list of nibabel.Nifti1Image
            One per volume, in `stack.volumes`' order: its shape, affine and codes, float32.
        """
        if maps.shape != (len(stack), *stack.X.shape[2:]):
            raise ValueError(f"maps should have shape {(len(stack), *stack.X.shape[2:])}, got {maps.shape}.")
        outside = self.outside if outside is None else outside
        return [self._native(maps, stack, index, outside) for index in range(len(stack.volumes))]

    def _native(self, maps, stack, index, outside):
        rows = stack.volume_index == index
        native = stack.placements[index].to_native(maps[rows], stack.slice_index[rows])
        return to_image(native, stack.volumes[index], outside=outside)

    def _validate_params(self):
        super()._validate_params()
        _check_lengths(self.size, self.voxel_size)

    def _size_mode(self):
        if self.size_mode != "auto":
            return self.size_mode
        return "resize" if self.voxel_size is None else "crop"

    def _landmarks(self, volume):
        self._check_size(volume)
        axial = read_axial(volume, self.contrasts_, self.mask)
        return normalizers(volume, axial, self.contrasts_, self._landmarks_of)

    def _landmarks_of(self, index, intensities):
        return histogram_landmarks(intensities, brightest=is_t1_weighted(self.contrasts_[index]))

    def _normalizer(self, index, intensities):
        if self.intensity == "whitematter":
            return match_landmarks(self._landmarks_of(index, intensities), self.landmarks_[index])
        return {"zscore": zscore, "range": robust_range}[self.intensity](intensities)

    def _check_size(self, volume):
        check_size(volume, voxel_size=_per_slice_axis(self.voxel_size), max_voxels=self.max_voxels)

    def _slice(self, volume, labeled):
        self._check_size(volume)
        axial = read_axial(volume, self.contrasts_, self.mask)
        intensities = {}
        if self.intensity is not None:
            intensities = normalizers(volume, axial, self.contrasts_, self._normalizer)
        spacing = _per_slice_axis(self.voxel_size)
        placement = place(
            volume, axial, intensities, voxel_size=spacing, size=self.size, size_mode=self._size_mode()
        )
        X = to_slices(volume, axial, placement, self.contrasts_)
        kept = np.arange(len(X))
        if self.slices == "foreground":
            kept = np.flatnonzero(~np.isnan(X).all(axis=(1, 2, 3)))
        if not kept.size:
            raise ValueError(
                f"Subject {volume.subject!r} has no foreground left at voxel_size={self.voxel_size} and "
                f"size={self.size}: its mask is too small, check it."
            )
        return X[kept], to_label_slices(volume, placement)[kept] if labeled else None, kept, placement


def _rows(out, ending, row_shape, dtype):
    if out is None:
        return RowList(dtype)
    out = Path(out)
    return RowFile(out.with_name(f"{out.stem}{ending}.npy"), row_shape, dtype)


def _collect(part, X, y):
    images, labels, kept, placement = part
    X.append(images)
    if y is not None:
        y.append(labels)
    return placement, kept


def _standard(found, contrast):
    landmarks = [of_subject[contrast] for of_subject in found if contrast in of_subject]
    if not landmarks:
        raise ValueError(
            f"No subject has the contrast {contrast!r}: its landmarks cannot be learned, leave it out."
        )
    return standard_landmarks(landmarks)


def _per_slice_axis(voxel_size):
    """Spacing of slices, rows and columns from one number or (right-left, anterior-posterior, up-down)."""
    if voxel_size is None:
        return None
    return tuple(float(length) for length in np.broadcast_to(voxel_size, 3)[::-1])


def _check_lengths(size, voxel_size):
    if len(size) != 2 or not all(isinstance(n, Integral) and 0 < n <= _LARGEST_SIZE for n in size):
        raise ValueError(
            f"size should be two integers (height, width) from 1 to {_LARGEST_SIZE}, got {size!r}."
        )
    if isinstance(voxel_size, (tuple, list)) and not (len(voxel_size) == 3 and min(voxel_size) > 0):
        raise ValueError(f"voxel_size should be a positive number or three of them, got {voxel_size!r}.")
