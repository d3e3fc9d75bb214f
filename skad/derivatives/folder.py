"""A folder of maps as an object."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self, overload

import numpy as np

from skad.derivatives.about import Facts, read_about
from skad.derivatives.doubts import cohort_warnings, map_warnings, read_drift
from skad.derivatives.naming import ENDING, SCORES, map_path
from skad.derivatives.record import Record, read_record
from skad.derivatives.sidecar import SidecarError
from skad.io import Volume
from skad.preprocessing.reorient import Reorientation
from skad.utils.messages import counted
from skad.utils.notebook import card, picture
from skad.utils.tables import read_table
from skad.utils.typing import PathLike

_SHOWN = 5  # maps in a notebook


class Derivative(Sequence[Record]):
    """A folder of anomaly maps: a sequence of records, one per scan, sorted by name.

    Parameters
    ----------
    folder : path-like
        What ``skad score`` or :meth:`skad.VolumeAnomalyDetector.score_cohort` wrote. The JSON file beside
        every map is read once, now; maps and tables are read when they are asked for.

    Attributes
    ----------
    folder : pathlib.Path
    errors : dict of str to Exception
        Scans without a usable map, by name: those that could not be scored, and maps whose JSON file is
        malformed.

    Raises
    ------
    ValueError
        The folder holds no map.

    See Also
    --------
    skad.evaluation.evaluate : Scores of the maps against labels.
    skad.report.write_report : The maps in one HTML file.

    Examples
    --------
    >>> import tempfile
    >>> from skad import VolumeAnomalyDetector
    >>> from skad.datasets import make_phantom
    >>> from skad.derivatives import Derivative
    >>> from skad.preprocessing import VolumePreprocessor
    >>> from skad.scoring import IntensityScorer
    >>> volumes = make_phantom(n_subjects=2, shape=(24, 28, 8), random_state=0)
    >>> detector = VolumeAnomalyDetector(
    ...     IntensityScorer(), preprocessor=VolumePreprocessor(size=(32, 32))
    ... ).fit(volumes)
    >>> folder = tempfile.mkdtemp()
    >>> detector.score_cohort(volumes, out=folder)
    Derivative(..., 2 maps)
    >>> for record in Derivative(folder):
    ...     print(record.subject, record.anomaly.shape, record.warnings)
    phantom01 (24, 28, 8) ()
    phantom02 (24, 28, 8) ()
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        records, errors = _read(self.folder)
        if not records and not errors:
            raise ValueError(
                f"{folder} holds no sub-*/anat/*_{ENDING}.nii.gz with its .json: "
                "give a folder of `skad score`."
            )
        failed = {
            row["subject"]: ValueError(row["error"])
            for row in read_table(self.folder / SCORES)
            if row.get("error")
        }
        self._keep(records, errors | failed)

    @classmethod
    def of(cls, folder: PathLike, records: Iterable[Record], errors: Mapping[str, Exception]) -> Self:
        """A folder whose records are known already.

        Parameters
        ----------
        folder : path-like
        records : iterable of Record
            Kept in this order.
        errors : dict of str to Exception

        Returns
        -------
        Derivative
        """
        self = cls.__new__(cls)
        self.folder = Path(folder)
        self._keep(records, errors)
        return self

    def _keep(self, records, errors):
        self.errors = dict(errors)
        self.drift = read_drift(self.folder)
        records = list(records)
        warnings = map_warnings({record.name: record.sidecar for record in records}, self.drift)
        self._records = [replace(record, warnings=warnings[record.name]) for record in records]
        self._by_path = {record.path: record for record in self._records}

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index):
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"Derivative({str(self.folder)!r}, {counted(len(self), 'map')})"

    def _repr_html_(self) -> str:
        """The highest peaks, and the axial slice of the highest of all, read now."""
        facts = {"folder": self.folder, "maps": len(self), "contrasts": ", ".join(self.contrasts)}
        facts |= {
            "detector": ", ".join(self.models.values()),
            "without a map": ", ".join(self.errors) or "none",
        }
        highest = sorted(self._records, key=lambda record: -record.peak)[:_SHOWN]
        rows = [
            {
                "highest peaks": record.name,
                "peak": f"{record.peak:.4g}",
                "warnings": " ".join(record.warnings),
            }
            for record in highest
        ]
        try:
            pictures = [_peak_slice(record) for record in highest[:1]]
        except (ValueError, OSError) as error:
            return card("Derivative", facts | {"not readable": error}, rows=rows)
        return card("Derivative", facts, rows=rows, pictures=pictures)

    @property
    def warnings(self) -> list[str]:
        """What is doubtful about the maps together, a sentence each; `Record.warnings` has each map's own."""
        return cohort_warnings([record.sidecar for record in self._records], self.drift)

    @property
    def contrasts(self) -> tuple[str, ...]:
        """The contrasts that the maps were made from."""
        return self._records[0].sidecar.contrasts if self._records else ()

    @property
    def models(self) -> dict[str, str]:
        """Names of the detectors' files by their SHA-256."""
        return {record.sidecar.model.sha256: record.sidecar.model.file for record in self._records}

    @property
    def about(self) -> Facts:
        """Training, calibration and parameters of the detector by heading; empty where they are unknown."""
        return read_about(self.folder, self.models)

    def threshold(self) -> tuple[float, str]:
        """Scores above it are abnormal, and a sentence that says where it is from.

        Returns
        -------
        threshold : float
            That of the detector or calibrator; else the median over the maps of their 99th percentiles.
        origin : str
        """
        rule = next((record.sidecar.rule for record in self._records if record.sidecar.rule), None)
        if rule is None:
            tails = [record.sidecar.summary["percentile_99"] for record in self._records]
            return float(np.median(tails)), (
                "the top 1 % of the voxels of the median subject, for want of a calibrated one: every "
                "subject has something above such a threshold, normal or not"
            )
        return rule.threshold, rule.origin

    def record_of(self, volume: Volume) -> Record | None:
        """The record of a volume's map, or None where it has none here."""
        return self._by_path.get(map_path(self.folder, volume))

    def pairs(self, volumes: Iterable[Volume]) -> Iterator[tuple[Record, Volume]]:
        """Maps with the volumes they were made from, in the volumes' order; others are left out.

        Parameters
        ----------
        volumes : iterable of Volume

        Yields
        ------
        record : Record
        volume : Volume
        """
        for volume in volumes:
            record = self.record_of(volume)
            if record is not None:
                yield record, volume

    def only(self, volumes: Iterable[Volume]) -> Self:
        """The part of the folder that is of some volumes, as a Derivative."""
        return type(self).of(self.folder, [record for record, _ in self.pairs(volumes)], self.errors)


def _peak_slice(record):
    """The axial slice through the peak of a map, as a picture."""
    axial = Reorientation.to_axial(record.affine)
    slices = axial.forward(record.anomaly)
    _, height, width = axial.along_slices(np.linalg.norm(record.affine[:3, :3], axis=0))
    peak = np.unravel_index(np.nanargmax(slices), slices.shape)[0]
    return picture(f"{record.name}, slice of the peak", slices[peak], aspect=height / width, width=260)


def _read(folder):
    """Records of all maps, sorted, and the errors of those whose JSON file is malformed."""
    records, errors = [], {}
    for path in sorted(folder.glob(f"sub-*/**/anat/*_{ENDING}.nii.gz")):
        try:
            record = read_record(path)
        except SidecarError as error:
            errors[path.name.removesuffix(f"_{ENDING}.nii.gz")] = error
        else:
            records.append(record)
    return records, errors
