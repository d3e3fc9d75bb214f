"""Volumes in, native-space anomaly maps out."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from skad.io import Volume
from skad.io.sources import Missing
from skad.io.writing import NiftiImage
from skad.preprocessing import VolumePreprocessor
from skad.preprocessing.growing import RowFile, RowList
from skad.utils.typing import PathLike
from skad.version import __version__


class VolumeAnomalyDetector(BaseEstimator):
    """A preprocessor and a pipeline of slices together: volumes in, maps in the patients' own space out.

    Parameters
    ----------
    pipeline : estimator
        Anything with ``fit`` and ``score_samples`` on slices, for example
        ``make_pipeline(ContrastTranslator(), JointDRGMM())``. ``FrozenEstimator(fitted)`` keeps what is
        fitted.
    preprocessor : VolumePreprocessor, default=None
        None is ``VolumePreprocessor()``.
    verbose : int or bool, default=False
        Progress bar while volumes are read.

    Attributes
    ----------
    pipeline_, preprocessor_ : estimators
        Fitted clones.
    contrasts_ : tuple of str
        The contrasts that a volume should have, by name; their order in the volume does not matter.
    n_slices_ : int
        Slices without a lesion that the pipeline learnt from.

    Examples
    --------
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.reconstruction import ContrastTranslator
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> detector = VolumeAnomalyDetector(
    ...     ContrastTranslator(width=4, n_blocks=1, max_epochs=1, random_state=0),
    ...     preprocessor=VolumePreprocessor(size=(32, 32)),
    ... ).fit(volumes)
    >>> detector.score_volume(volumes[0]).shape
    (24, 28, 8)
    """

    def __init__(self, pipeline, *, preprocessor=None, verbose=False):
        self.pipeline = pipeline
        self.preprocessor = preprocessor
        self.verbose = verbose

    def fit(self, volumes: Sequence[Volume], y: object = None, *, out: PathLike | None = None) -> Self:
        """Learn from the slices that show no lesion.

        Parameters
        ----------
        volumes : list of Volume
            Slices with a labelled pixel are left out. All slices of a volume without labels are taken as
            normal. (We)
        y : ignored
        out : path-like, default=None
            Write the training slices to this .npy file and train from it, for cohorts larger than memory.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Names the subject or file, or says that every slice has a lesion.
        """
        volumes = volumes if isinstance(volumes, Volume) else list(volumes)
        preprocessor = VolumePreprocessor() if self.preprocessor is None else clone(self.preprocessor)
        self.preprocessor_ = preprocessor.fit(volumes)
        self.contrasts_ = self.preprocessor_.contrasts_
        X = self._normal_slices(volumes, out)
        self.preprocessor_.set_params(n_jobs=None)  # from here on it gets one volume at a time
        self.pipeline_ = clone(self.pipeline).fit(X, None)  # FrozenEstimator insists on a y
        self.n_slices_ = len(X)
        return self

    def score_volume(self, volume: Volume) -> NiftiImage:
        """The anomaly map of one volume.

        Parameters
        ----------
        volume : Volume
            With the contrasts of ``contrasts_``; one may be missing where the pipeline can do without.

        Returns
        -------
        nibabel.Nifti1Image
            High is abnormal; shape, affine and codes of the volume; NaN (or 0, ``preprocessor.outside``)
            outside the foreground. The header's description names the missing contrasts.

        Raises
        ------
        ValueError
            Names the subject and the contrast that it lacks, or the file that cannot be read.
        """
        check_is_fitted(self)
        stack = self.preprocessor_.transform([self._to_score(volume)])
        missing = missing_in(stack)
        if missing and not allows_missing_contrast(self.pipeline_):
            raise ValueError(self._lacks(volume, missing[0]))
        anomaly = -self.pipeline_.score_samples(stack.X)
        (image,) = self.preprocessor_.inverse_transform(anomaly, stack)
        image.header["descrip"] = _description(missing)
        return image

    def score_volumes(
        self, volumes: Iterable[Volume], *, n_jobs: int | None = None, on_error: str = "raise"
    ) -> Iterator[tuple[Volume, NiftiImage | Exception]]:
        """The anomaly maps of many volumes, one after the other: a few volumes are in memory at a time.

        Parameters
        ----------
        volumes : iterable of Volume
        n_jobs : int or None, default=None
            Volumes scored at the same time, as in scikit-learn.
        on_error : {"raise", "yield"}, default="raise"
            "yield" gives the exception in place of the map and goes on, for runs over night.

        Yields
        ------
        volume : Volume
        image : nibabel.Nifti1Image or Exception
        """
        check_is_fitted(self)
        if on_error not in ("raise", "yield"):
            raise ValueError(f'on_error should be "raise" or "yield", got {on_error!r}.')
        volumes = list(volumes)
        score = _score_or_raise if on_error == "raise" else _score_or_error
        images = Parallel(n_jobs, return_as="generator")(delayed(score)(self, volume) for volume in volumes)
        yield from zip(volumes, images, strict=True)

    def _to_score(self, volume):
        """The volume with the contrasts of ``contrasts_`` only, missing ones as NaN, and without labels."""
        if not isinstance(volume, Volume):
            raise ValueError(f"volume should be a skad.io.Volume, got {type(volume).__name__}.")
        absent = [name for name in self.contrasts_ if name not in volume.contrasts]
        if absent and (len(absent) == len(self.contrasts_) or not allows_missing_contrast(self.pipeline_)):
            raise ValueError(self._lacks(volume, absent[0]))
        sources = volume.contrasts.sources
        return Volume(
            {name: sources.get(name, Missing(volume.shape)) for name in self.contrasts_},
            volume.affine,
            subject=volume.subject,
            mask=volume.mask,
            header=volume.header,
        )

    def _lacks(self, volume, contrast):
        return (
            f"Subject {volume.subject!r} lacks the contrast {contrast!r}; the detector was fitted on "
            f"{', '.join(self.contrasts_)} and needs all of them: add the image, or leave the subject out."
        )

    def _normal_slices(self, volumes, out):
        n_jobs = self.preprocessor_.n_jobs
        parts = Parallel(n_jobs, return_as="generator")(
            delayed(_lesion_free)(self.preprocessor_, volume) for volume in volumes
        )
        shape = (len(self.contrasts_), *self.preprocessor_.size)
        store = RowList(np.float32) if out is None else RowFile(Path(out), shape, np.float32)
        with store as rows:
            for part in tqdm(parts, "volumes", len(volumes), unit="volume", disable=not self.verbose):
                rows.append(part)
        X = rows.result()
        if not len(X):
            raise ValueError(
                f"Every slice of the {len(volumes)} volumes has a labelled pixel: add normal volumes."
            )
        return X


def allows_missing_contrast(estimator):
    """Whether an estimator, or every step of a pipeline, can score without one of the contrasts (its tag)."""
    if isinstance(estimator, FrozenEstimator):
        return allows_missing_contrast(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return all(allows_missing_contrast(step) for _, step in estimator.steps)
    return getattr(get_tags(estimator).input_tags, "missing_contrast", False)


def missing_in(stack):
    """Names of the contrasts that are NaN in every slice of a stack."""
    return [name for i, name in enumerate(stack.contrasts) if np.isnan(stack.X[:, i]).all()]


def _lesion_free(preprocessor, volume):
    stack = preprocessor.transform([volume])
    missing = missing_in(stack)
    if missing:
        raise ValueError(
            f"Subject {volume.subject!r} has no {missing[0]}, but learning needs every contrast: "
            "leave the subject out."
        )
    return stack.X if stack.y is None else stack.X[~stack.y.any(axis=(1, 2))]


def _score_or_raise(detector, volume):
    return detector.score_volume(volume)


def _score_or_error(detector, volume):
    try:
        return detector.score_volume(volume)
    except Exception as error:  # one bad subject must not end a night's work, whatever is wrong with it
        return error


def _description(missing):
    text = f"anomaly, high=abnormal, skad {__version__}"
    return (text + (f", without {' '.join(missing)}" if missing else ""))[:79]
