"""Volumes in, native-space anomaly maps out."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skad.calibration import ConformalCalibrator
from skad.calibration.profile import UnlikeTrainingWarning
from skad.composition import allows_missing_contrast, fit_to_slices, reconstructor_in
from skad.derivatives import Derivative, LesionRule, Visitor
from skad.derivatives.cohort import common_folder, score_into
from skad.derivatives.writer import MapWriter, describe_map, missing_contrasts, model_of
from skad.io import Volume, to_image
from skad.io.sources import Missing
from skad.io.writing import NiftiImage
from skad.normal_slices import read_normal_slices
from skad.postprocessing import add_local_prevalence, smooth_across_slices
from skad.preprocessing import VolumePreprocessor
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import FloatArray, PathLike
from skad.weighed_offset import weighed_offset


class VolumeAnomalyDetector(DocumentationLinkMixin, BaseEstimator):
    """Anomaly detector for volumes: a preprocessor and a pipeline of slices.

    Parameters
    ----------
    pipeline : estimator
        Any estimator with ``fit`` and ``score_samples`` on slices, for example
        ``make_pipeline(ContrastTranslator(), JointDRGMM())``. A step wrapped in ``FrozenEstimator`` is not
        fitted again.
    preprocessor : VolumePreprocessor, default=None
        Turns volumes into slices and maps of slices back into volumes. None uses
        ``VolumePreprocessor()``.
    slice_smoothing : float, default=0.0
        Standard deviation, in mm, of a Gaussian that smooths the scores of a volume across slices. Slices
        much farther apart than that do not influence each other.
    prevalence_smoothing : float, default=0.0
        Standard deviation, in mm, of the neighborhoods in which the prevalence of lesions is estimated from
        the scores themselves, to raise them where it is high, see
        :func:`skad.postprocessing.add_local_prevalence`. For scores that are logarithms of p-values. 0 leaves
        the scores as they are.
    context : float or None, default=None
        Give :class:`skad.scoring.SyntheticAnomalyScorer` or
        :class:`skad.reconstruction.ContrastTranslator`, alone or in an ensemble, each slice with those so
        many mm below and above it (2.5-D), see :meth:`skad.preprocessing.SliceStack.with_neighbors`.
    verbose : int or bool, default=False
        Show a progress bar while volumes are read.

    Attributes
    ----------
    pipeline_, preprocessor_ : estimators
        Fitted clones.
    contrasts_ : tuple of str
        The contrasts that a volume should have, by name; their order in the volume does not matter.
    profile_ : TrainingProfile
        Ranges of the volumes seen in `fit`; every scored volume is compared with them.
    training_scans_ : TrainingScans
        Salted digests of the volumes seen in `fit`, so that calibration on training scans is detected.
    n_slices_ : int
        Number of lesion-free slices that the pipeline was fitted to.
    offset_ : float
        Scores below it are abnormal, that is, voxels of a map above minus it. Only with
        `prevalence_smoothing`; else the ``offset_`` of the pipeline's last step counts.

    See Also
    --------
    skad.SingleSubjectDetector : Needs no normal scans.
    skad.calibration.ConformalCalibrator : Sets a threshold with a known false-positive rate.
    skad.derivatives.Derivative : The folder of maps that ``score_cohort`` returns.

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

    _parameter_constraints = {
        "slice_smoothing": [Interval(Real, 0, None, closed="left")],
        "prevalence_smoothing": [Interval(Real, 0, None, closed="left")],
        "context": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        pipeline,
        *,
        preprocessor=None,
        slice_smoothing=0.0,
        prevalence_smoothing=0.0,
        context=None,
        verbose=False,
    ):
        self.pipeline = pipeline
        self.preprocessor = preprocessor
        self.slice_smoothing = slice_smoothing
        self.prevalence_smoothing = prevalence_smoothing
        self.context = context
        self.verbose = verbose

    def fit(self, volumes: Sequence[Volume], y: object = None, *, out: PathLike | None = None) -> Self:
        """Learn from the slices that show no lesion.

        Parameters
        ----------
        volumes : list of Volume
            Slices with a labeled pixel are left out. All slices of a volume without labels are taken as
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
        self._validate_params()
        volumes = self._fit_preprocessor(volumes)
        normal = self._normal_slices(volumes, out)
        self.preprocessor_.set_params(n_jobs=None)  # from here on it gets one volume at a time
        self.pipeline_ = fit_to_slices(clone(self.pipeline), normal.X)
        self.n_slices_ = len(normal.X)
        self.__dict__.pop("offset_", None)  # of an earlier fit
        if self.prevalence_smoothing:
            offset = weighed_offset(self.pipeline_, normal.X, normal.pixel_size, self.prevalence_smoothing)
            if offset is not None:
                self.offset_ = offset
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
            High is abnormal; shape, affine and codes of the volume; NaN outside the foreground, whatever
            ``preprocessor.outside`` is: that concerns files, see `score_cohort` and
            :func:`skad.io.write_map`. The header's description names the missing contrasts.

        Raises
        ------
        ValueError
            Names the subject and the contrast that it lacks, or the file that cannot be read.

        Warns
        -----
        UnlikeTrainingWarning
            The volume does not look like those of `fit`, see :class:`skad.calibration.TrainingProfile`.
        """
        anomaly = self.anomaly_of(volume)
        return to_image(anomaly, volume, description=describe_map(missing_contrasts(self.contrasts_, volume)))

    def anomaly_of(self, volume: Volume) -> FloatArray:
        """The anomaly map of one volume as an array.

        Parameters
        ----------
        volume : Volume
            As in `score_volume`.

        Returns
        -------
        float32 ndarray of shape ``volume.shape``
            High is abnormal; NaN outside the foreground. Errors are those of `score_volume`.
        """
        check_is_fitted(self)
        stack = self.preprocessor_.transform([self._to_score(volume)])
        if stack.missing_contrasts and not self._allows_missing_contrast():
            raise ValueError(self._lacks(volume, stack.missing_contrasts[0]))
        self._warn_if_unlike_training(stack)
        anomaly = self._anomaly(stack.seen_with(self.context))
        anomaly = smooth_across_slices(anomaly, stack.positions, self.slice_smoothing)
        pixel_size = stack.placements[0].pixel_size
        anomaly = add_local_prevalence(anomaly, stack.positions, pixel_size, self.prevalence_smoothing)
        (image,) = self.preprocessor_.inverse_transform(anomaly, stack, outside="nan")
        return np.asarray(image.dataobj)

    def reference_of(self, volume: Volume) -> dict[str, FloatArray]:
        """The normal reference of one volume: what it would look like if it were normal.

        Parameters
        ----------
        volume : Volume
            As in `score_volume`.

        Returns
        -------
        dict of str to float32 ndarray of shape ``volume.shape``
            By contrast; NaN outside the foreground. Intensities are those of the preprocessed slices, for
            example z-scores, not those of the scan.

        Raises
        ------
        ValueError
            The pipeline makes no reference, or as in `score_volume`.

        See Also
        --------
        anomaly_of : The map, which compares the volume with its reference.
        """
        check_is_fitted(self)
        reconstructor = reconstructor_in(self.pipeline_)
        stack = self.preprocessor_.transform([self._to_score(volume)])
        pairs = reconstructor.transform(stack.seen_with(self.context))
        images = {
            name: self.preprocessor_.inverse_transform(pairs[:, 1, i], stack, outside="nan")[0]
            for i, name in enumerate(self.contrasts_)
        }
        return {name: np.asarray(image.dataobj) for name, image in images.items()}

    def score_cohort(
        self,
        volumes: Iterable[Volume],
        *,
        out: PathLike,
        calibrator: ConformalCalibrator | None = None,
        min_volume: float = 0.01,
        n_jobs: int | None = None,
        resume: bool = True,
        tables: bool = True,
        model: PathLike | None = None,
        scans: PathLike | None = None,
        visitor: Visitor | None = None,
        unreadable: Mapping[str, Exception] | None = None,
    ) -> Derivative:
        """Write the anomaly maps of many volumes into a folder, with tables of their scores and lesions.

        The folder is a BIDS derivative. A volume that cannot be scored is told in its table and ends nothing;
        nor does a worker that is killed. The table grows as volumes are finished, and a run that was
        interrupted goes on where it stopped.

        Parameters
        ----------
        volumes : iterable of Volume
        out : path-like
            The folder; no other run may use it meanwhile, unless `tables` is False.
        calibrator : ConformalCalibrator, default=None
            Around this detector: lesions are found at its rate, get p-values and masks, and drift is tested.
            None finds lesions at the threshold of the pipeline's last step, if it has one.
        min_volume : float, default=0.01
            Smallest lesion, mL.
        n_jobs : int or None, default=None
            Volumes scored at the same time, in processes.
        resume : bool, default=True
            Keep the maps in the folder that are whole and of the same detector, threshold and input files.
        tables : bool, default=True
            Write the tables of the cohort. False leaves them to a later call, so that several runs may score
            different volumes into one folder at the same time.
        model : path-like, default=None
            The file that the detector was loaded from, to be named beside the maps with its SHA-256. None
            takes what :func:`skad.save` would write.
        scans : path-like, default=None
            Folder of the scans, which the maps name their sources relative to. None takes the deepest that
            holds the files of all volumes.
        visitor : Visitor, default=None
            What else to do with every scan while it is in memory, for example
            :class:`skad.report.Gallery`.
        unreadable : dict of str to Exception, default=None
            Scans that could not be opened, to be told in the table.

        Returns
        -------
        Derivative
            Of these volumes; its `errors` hold those without a map.

        Raises
        ------
        ValueError
            Two volumes would write one map, or another run uses the folder.

        See Also
        --------
        skad.derivatives.Derivative : Opens the folder later.

        Examples
        --------
        >>> import tempfile
        >>> from skad import VolumeAnomalyDetector
        >>> from skad.datasets import make_phantom
        >>> from skad.preprocessing import VolumePreprocessor
        >>> from skad.scoring import IntensityScorer
        >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
        >>> detector = VolumeAnomalyDetector(
        ...     IntensityScorer(), preprocessor=VolumePreprocessor(size=(32, 32))
        ... ).fit(volumes)
        >>> maps = detector.score_cohort(volumes, out=tempfile.mkdtemp())
        >>> [record.subject for record in maps]
        ['phantom01', 'phantom02']
        """
        check_is_fitted(self)
        volumes = list(volumes)
        writer = MapWriter(
            Path(out),
            model_of(self if calibrator is None else calibrator, model),
            LesionRule.of(self, calibrator, min_volume=min_volume),
            contrasts=tuple(self.contrasts_),
            scans=common_folder(volumes) if scans is None else Path(scans),
            p_values=None if calibrator is None else calibrator.p_values_of,
            outside=self.preprocessor_.outside,
        )
        return score_into(
            writer,
            self,
            volumes,
            calibrator=calibrator,
            n_jobs=n_jobs,
            resume=resume,
            tables=tables,
            visitor=visitor,
            unreadable=unreadable,
        )

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
        caught = () if on_error == "raise" else Exception  # one bad subject must not end a night's work
        images = Parallel(n_jobs, return_as="generator")(
            delayed(_map_or_error)(self, volume, caught) for volume in volumes
        )
        yield from zip(volumes, images, strict=True)

    def _anomaly(self, X):
        """The anomaly of all slices of one volume."""
        return -self.pipeline_.score_samples(X)

    def _allows_missing_contrast(self):
        return allows_missing_contrast(self.pipeline_)

    def _fit_preprocessor(self, volumes):
        volumes = volumes if isinstance(volumes, Volume) else list(volumes)
        preprocessor = VolumePreprocessor() if self.preprocessor is None else clone(self.preprocessor)
        self.preprocessor_ = preprocessor.fit(volumes)
        self.contrasts_ = self.preprocessor_.contrasts_
        return volumes

    def _to_score(self, volume):
        """The volume with the contrasts of ``contrasts_`` only, missing ones as NaN, and without labels."""
        if not isinstance(volume, Volume):
            raise ValueError(f"volume should be a skad.io.Volume, got {type(volume).__name__}.")
        absent = [name for name in self.contrasts_ if name not in volume.contrasts]
        if absent and (len(absent) == len(self.contrasts_) or not self._allows_missing_contrast()):
            raise ValueError(self._lacks(volume, absent[0]))
        sources = volume.contrasts.sources
        return Volume(
            {name: sources.get(name, Missing(volume.shape)) for name in self.contrasts_},
            volume.affine,
            subject=volume.subject,
            mask=volume.mask,
            header=volume.header,
            info=volume.info,
        )

    def _warn_if_unlike_training(self, stack):
        profile = getattr(self, "profile_", None)  # files of earlier versions have none
        for sentence in [] if profile is None else profile.compare(stack):
            warnings.warn(
                f"Subject {stack.volumes[0].subject!r} differs from the training scans. {sentence}",
                UnlikeTrainingWarning,
                stacklevel=3,
            )

    def _lacks(self, volume, contrast):
        return (
            f"Subject {volume.subject!r} lacks the contrast {contrast!r}; the detector was fitted on "
            f"{', '.join(self.contrasts_)} and needs all of them: add the image, or leave the subject out."
        )

    def _normal_slices(self, volumes, out):
        """The slices to learn from; what is remembered of their scans is kept."""
        settings = {"context": self.context, "verbose": bool(self.verbose)}
        normal = read_normal_slices(self.preprocessor_, volumes, out, **settings)
        self.profile_, self.training_scans_ = normal.profile, normal.scans
        return normal


def _map_or_error(detector, volume, caught):
    try:
        return detector.score_volume(volume)
    except caught as error:
        return error
