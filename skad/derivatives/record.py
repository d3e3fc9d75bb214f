"""One map of a folder, with all that is known of it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from skad.derivatives.naming import figure_path, lesions_path, map_name, references_of, sidecar_path
from skad.derivatives.sidecar import Sidecar, SidecarError
from skad.io import Volume
from skad.io.nifti import NiftiFile, open_nifti
from skad.utils.files import sha256
from skad.utils.tables import read_table
from skad.utils.typing import FloatArray


@dataclass(frozen=True)
class Record:
    """The map of one scan and its metadata.

    Attributes
    ----------
    path : pathlib.Path
        The NIfTI file.
    sidecar : Sidecar
        The content of the JSON file beside it.
    warnings : tuple of str
        What a reader should know before trusting the map, a sentence each.

    See Also
    --------
    skad.derivatives.Derivative : A folder of records.
    skad.derivatives.Sidecar : The metadata.

    Examples
    --------
    >>> import tempfile
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.scoring import IntensityScorer
    >>> volumes = make_phantom(n_subjects=1, shape=(24, 28, 8), random_state=0)
    >>> prepare = VolumePreprocessor(size=(32, 32))
    >>> detector = VolumeAnomalyDetector(IntensityScorer(), preprocessor=prepare).fit(volumes)
    >>> record, = detector.score_cohort(volumes, out=tempfile.mkdtemp())
    >>> record.subject, record.anomaly.shape, record.peak > 0
    ('phantom01', (24, 28, 8), True)
    """

    path: Path
    sidecar: Sidecar
    warnings: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The patient, as the scans call it."""
        return self.sidecar.subject

    @property
    def session(self) -> str:
        """The session; empty where there is one only."""
        return self.sidecar.session

    @property
    def name(self) -> str:
        """Subject and session as in the names of the files."""
        return map_name(self.path)

    @property
    def peak(self) -> float:
        """The highest anomaly score."""
        return self.sidecar.summary["maximum"]

    @cached_property
    def lesions(self) -> tuple[dict[str, Any], ...]:
        """Rows of :func:`skad.postprocessing.lesion_table`, largest first; none without a threshold."""
        return tuple(read_table(lesions_path(self.path)))

    @cached_property
    def image(self) -> NiftiFile:
        """The map's file: its header is read, its voxels are not."""
        return open_nifti(self.path)

    @property
    def affine(self) -> FloatArray:
        """Voxel indices to mm, shape (4, 4)."""
        return self.image.affine

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels per axis."""
        return self.image.shape

    @property
    def anomaly(self) -> FloatArray:
        """The map, float32 of shape `shape`, high is abnormal, NaN outside; read anew at every access."""
        anomaly = self.image.load().astype(np.float32)
        if self.sidecar.outside == "zero":
            anomaly[anomaly == 0] = np.nan
        return anomaly

    @property
    def references(self) -> dict[str, FloatArray]:
        """The saved normal references by contrast, NaN outside; read anew at every access.

        Their intensities are those that the detector works with, not those of the scan.
        """
        return {name: open_nifti(path).load() for name, path in references_of(self.path).items()}

    def check_grid(self, volume: Volume) -> None:
        """Raise where the map does not lie on the grid of a volume.

        Raises
        ------
        ValueError
            Names the file.
        """
        if self.shape != volume.shape or not np.allclose(self.affine, volume.affine, atol=1e-3):
            raise ValueError(
                f"{self.path} lies on another grid than the images of {volume.subject!r}: score them again."
            )

    def is_whole(self) -> bool:
        """Whether the map's file is the one that the sidecar was written for, by its size and digest."""
        try:
            size = self.path.stat().st_size
        except OSError:
            return False
        return size == self.sidecar.size and sha256(self.path) == self.sidecar.sha256

    def has_figure(self) -> bool:
        """Whether the picture of the map is there."""
        return figure_path(self.path).exists()


def read_record(path: Path) -> Record:
    """The record of a map's file.

    Raises
    ------
    SidecarError
        The JSON file beside it is missing, as after an interrupted run, or malformed.
    """
    if not sidecar_path(path).exists():
        raise SidecarError(
            f"{path} has no {sidecar_path(path).name} beside it, as after an interrupted run: "
            "score the subject again."
        )
    return Record(path, Sidecar.read(sidecar_path(path)))
