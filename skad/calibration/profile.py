"""What the training scans look like, and in what a new scan differs from them.

A detector scores whatever it is given: a head with its skull, another contrast or a label image yields a map
like any other. The comparison needs one scan, no labels and no scores, in contrast to
:mod:`skad.calibration.drift`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skad.calibration.drift import QUANTILES
from skad.io.regrid import Regridded
from skad.preprocessing import SliceStack
from skad.utils.documentation import DocumentationLinkMixin
from skad.utils.typing import FloatArray

# A value is unusual when it is farther from the training median than this many robust standard deviations,
# and farther than a tolerance that holds for any number of training scans. (We)
DEVIATIONS = 4.0
VOLUME_FACTOR = 1.6  # foreground volume
SHARE_FACTOR = 2.0  # share of the grid that is foreground
VOXEL_FACTOR = 1.5  # shortest and longest side of a voxel
QUANTILE_TOLERANCES = (0.75, 0.5, 0.4, 0.4, 0.6)  # of QUANTILES, in standard deviations of the intensities
ENTROPY_TOLERANCE = 1.0  # bits

LARGEST_BRAIN_ML = 2100.0  # intracranial volume of adults, with a margin (Courchesne et al. 2000, Radiology)

_BINS = 64  # of the histogram whose entropy tells a scan from a label image
_VOXELS = 100_000  # that stand for a contrast
_INTERQUARTILE = 1.349  # of a normal distribution, in standard deviations


class UnlikeTrainingWarning(UserWarning):
    """A scan differs from the scans that a detector was fitted to.

    See Also
    --------
    skad.calibration.TrainingProfile : The ranges that a scan is compared with.

    Examples
    --------
    >>> import warnings
    >>> from skad.calibration import UnlikeTrainingWarning
    >>> warnings.simplefilter("ignore", UnlikeTrainingWarning)  # scans of another protocol are meant
    """


@dataclass(frozen=True, eq=False)
class ScanSummary:
    """Summary of one scan, compared with the training scans by :class:`TrainingProfile`.

    Parameters
    ----------
    volume_ml : float
        Volume of the foreground, mL.
    share : float
        Share of the grid that is foreground.
    voxel_size : ndarray of shape (2,)
        Shortest and longest side of a voxel, mm.
    quantiles : ndarray of shape (n_contrasts, 5)
        ``skad.calibration.drift.QUANTILES`` of the normalized intensities; NaN for a missing contrast.
    entropy : ndarray of shape (n_contrasts,)
        Entropy of the histogram of intensities, bits: MR images have 4 to 6, label images 0 to 2.
    other_grid : bool ndarray of shape (n_contrasts,)
        Whether a contrast was interpolated because its grid is not that of the first, co-registration aside.

    See Also
    --------
    skad.calibration.summarize_scan : Computes it.
    skad.calibration.TrainingProfile : Compares it with the training scans.

    Examples
    --------
    >>> from skad.calibration import summarize_scan
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> volumes = make_phantom(1, shape=(24, 28, 8), random_state=0)
    >>> stack = VolumePreprocessor(size=(32, 32)).fit_transform(volumes)
    >>> summarize_scan(stack).quantiles.shape  # three contrasts, five quantiles
    (3, 5)
    """

    volume_ml: float
    share: float
    voxel_size: FloatArray
    quantiles: FloatArray
    entropy: FloatArray
    other_grid: FloatArray


def summarize_scan(stack: SliceStack, index: int = 0) -> ScanSummary:
    """Summarize one volume of a stack for :class:`TrainingProfile`.

    Parameters
    ----------
    stack : SliceStack
        Preprocessed slices.
    index : int, default=0
        Into ``stack.volumes``.

    Returns
    -------
    ScanSummary

    See Also
    --------
    skad.calibration.ScanSummary : What the summary holds.

    Examples
    --------
    >>> from skad.calibration import summarize_scan
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> volumes = make_phantom(1, shape=(24, 28, 8), random_state=0)
    >>> summary = summarize_scan(VolumePreprocessor(size=(32, 32)).fit_transform(volumes))
    >>> summary.volume_ml > 500
    True
    """
    volume, mask = stack.volumes[index], stack.placements[index].foreground.unpack()
    slices = stack.X[stack.volume_index == index]
    intensities = [_in_foreground(slices[:, c]) for c in range(slices.shape[1])]
    return ScanSummary(
        volume_ml=float(mask.sum() * np.prod(volume.voxel_size) / 1000),
        share=float(mask.mean()),
        voxel_size=np.array([min(volume.voxel_size), max(volume.voxel_size)]),
        quantiles=np.array([_quantiles(values) for values in intensities]),
        entropy=np.array([_entropy(values) for values in intensities]),
        other_grid=np.array([_was_interpolated(volume, name) for name in stack.contrasts]),
    )


class TrainingProfile(DocumentationLinkMixin, BaseEstimator):
    """Ranges of the training scans' properties; a :class:`VolumeAnomalyDetector` keeps it as ``profile_``.

    Attributes
    ----------
    contrasts_ : tuple of str
    n_scans_ : int
    volume_ml_, share_ : ndarray of shape (2,)
        Lowest and highest usual value: foreground in mL, and as a share of the grid.
    voxel_size_ : ndarray of shape (2, 2)
        Likewise for the shortest and the longest side of a voxel, mm.
    quantiles_ : ndarray of shape (2, n_contrasts, 5)
        Likewise for quantiles of the normalized intensities.
    entropy_ : ndarray of shape (2, n_contrasts)
        Likewise for the entropy of the histogram, bits.
    other_grid_ : bool ndarray of shape (n_contrasts,)
        Contrasts that some training scan has on a grid of its own.

    See Also
    --------
    skad.calibration.drift_p_value : Whether the scores of several patients have changed.

    Notes
    -----
    A value is usual within 4 robust standard deviations (from the 10 % and 90 % quantiles) of the training
    median, or within a tolerance that is known without training: a factor of 1.6 in volume, 2 in share, 1.5
    in voxel size, 0.4 to 0.75 standard deviations in a quantile, 1 bit of entropy. (We)

    Examples
    --------
    >>> import numpy as np
    >>> from skad.calibration import TrainingProfile
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> brains = make_phantom(n_subjects=3, shape=(24, 28, 8), random_state=0)
    >>> heads = make_phantom(n_subjects=1, shape=(24, 28, 8), skull=True, random_state=1)
    >>> prepare = VolumePreprocessor(size=(32, 32)).fit(brains)
    >>> scans = [summarize_scan(prepare.transform([brain])) for brain in brains]
    >>> profile = TrainingProfile().fit(scans, contrasts=prepare.contrasts_)
    >>> profile.compare(prepare.transform([brains[0]]))
    []
    >>> print(profile.compare(prepare.transform(heads))[0])
    The foreground measures ... mL, usual in training are ... to ... mL: check the mask, and whether the skull
    is still on.
    """

    def fit(self, scans: Sequence[ScanSummary], y: object = None, *, contrasts: Sequence[str]) -> Self:
        """Learn the usual ranges.

        Parameters
        ----------
        scans : sequence of ScanSummary
            At least one.
        y : ignored
        contrasts : sequence of str
            Names of the contrasts of the scans.

        Returns
        -------
        self
        """
        self.contrasts_, self.n_scans_ = tuple(contrasts), len(scans)
        self.volume_ml_ = _usual_factor([scan.volume_ml for scan in scans], VOLUME_FACTOR)
        self.share_ = _usual_factor([scan.share for scan in scans], SHARE_FACTOR)
        self.voxel_size_ = _usual_factor([scan.voxel_size for scan in scans], VOXEL_FACTOR)
        quantiles = np.array([scan.quantiles for scan in scans])
        deviation = np.median(quantiles[..., 3] - quantiles[..., 1], axis=0) / _INTERQUARTILE
        self.quantiles_ = _usual(quantiles, deviation[:, None] * QUANTILE_TOLERANCES)
        self.entropy_ = _usual([scan.entropy for scan in scans], ENTROPY_TOLERANCE)
        self.other_grid_ = np.any([scan.other_grid for scan in scans], axis=0)
        return self

    def compare(self, stack: SliceStack) -> list[str]:
        """In what the scans of a stack differ from the training scans.

        Parameters
        ----------
        stack : SliceStack
            As the detector's preprocessor makes it. One scan is enough; each is compared by itself.

        Returns
        -------
        list of str
            A sentence per difference; empty where a scan looks like training.
        """
        check_is_fitted(self)
        scans = [summarize_scan(stack, index) for index in range(len(stack.volumes))]
        return [sentence for scan in scans for sentence in self.differences(scan)]

    def differences(self, scan: ScanSummary) -> list[str]:
        """What `compare` says of one scan."""
        return [*self._foreground(scan), *self._grids(scan), *self._intensities(scan)]

    def _foreground(self, scan):
        if _outside(scan.volume_ml, self.volume_ml_):
            low, high = self.volume_ml_
            yield (
                f"The foreground measures {scan.volume_ml:.0f} mL, usual in training are {low:.0f} to "
                f"{high:.0f} mL: check the mask, and whether the skull is still on."
            )
        if _outside(scan.share, self.share_):
            low, high = self.share_
            yield (
                f"The foreground fills {scan.share:.0%} of the grid, usual in training are {low:.0%} to "
                f"{min(high, 1):.0%}: check the mask, and whether the skull is still on."
            )

    def _grids(self, scan):
        if _outside(scan.voxel_size, self.voxel_size_).any():
            short, long = self.voxel_size_.T
            yield (
                f"Voxels are {scan.voxel_size[0]:.2g} to {scan.voxel_size[1]:.2g} mm long, usual in training "
                f"are {short[0]:.2g} to {short[1]:.2g} mm for the shortest side and {long[0]:.2g} to "
                f"{long[1]:.2g} mm for the longest: the detector has not seen this resolution."
            )
        moved = _names(self.contrasts_, scan.other_grid & ~self.other_grid_)
        if moved:
            yield (
                f"{moved} had to be interpolated onto the grid of another contrast, in training never: check "
                "that the images are co-registered (skad.preparation.CoRegister)."
            )

    def _intensities(self, scan):
        flat = scan.entropy < self.entropy_[0]
        if flat.any():
            yield (
                f"The intensities of {_names(self.contrasts_, flat)} take few values, unlike those of an MR "
                "image: check that it is no mask, label image or probability map."
            )
        odd = (
            _outside(scan.quantiles, self.quantiles_).any(axis=1) | (scan.entropy > self.entropy_[1])
        ) & ~flat
        if odd.any():
            yield (
                f"The histogram of {_names(self.contrasts_, odd)} has another shape than in training: check "
                "the contrast, the mask and the bias field; a very large lesion may explain it."
            )


def _was_interpolated(volume, contrast):
    """Whether a contrast is seen on a grid that is not its own, without having been co-registered."""
    source = volume.contrasts.sources[contrast]
    while source is not None and not isinstance(source, Regridded):
        source = getattr(source, "source", None)
    return source is not None and "originals" not in volume.info


def _in_foreground(slices):
    values = slices[~np.isnan(slices)]
    return values[:: 1 + len(values) // _VOXELS]


def _quantiles(values):
    return np.quantile(values, QUANTILES) if len(values) else np.full(len(QUANTILES), np.nan)


def _entropy(values):
    if not len(values):
        return np.nan
    counts, _ = np.histogram(values, _BINS, np.quantile(values, (0.005, 0.995)))
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum())


def _usual(values, tolerance):
    """Lowest and highest usual value, shape (2, ...), of values of shape (n_scans, ...)."""
    low, median, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
    reach = np.maximum(DEVIATIONS * (high - low) / 2.563, tolerance)  # 2.563: of a normal distribution
    return np.array([median - reach, median + reach])


def _usual_factor(values, factor):
    return np.exp(_usual(np.log(values), np.log(factor)))


def _outside(value, usual):
    """True where a value is unusual; a missing one is not."""
    return (value < usual[0]) | (value > usual[1])


def _names(contrasts, chosen):
    return ", ".join(name for name, each in zip(contrasts, chosen, strict=True) if each)
