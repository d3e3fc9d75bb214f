"""The files of one scan, written in an order that a kill cannot turn into a lie."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from skad.anatomy import describe_places, is_in_mni_space
from skad.derivatives.bids import source_uri
from skad.derivatives.inputs import InputFile
from skad.derivatives.naming import (
    figure_path,
    lesions_path,
    map_path,
    mask_path,
    numbers_path,
    reference_path,
    references_of,
    sidecar_path,
)
from skad.derivatives.record import Record, read_record
from skad.derivatives.rule import LesionRule
from skad.derivatives.sidecar import Model, Sidecar, SidecarError, summary_of
from skad.io import Volume, to_image, write_map
from skad.io.writing import image_bytes
from skad.persistence import save
from skad.postprocessing import lesion_table, number_lesions, remove_small_lesions
from skad.postprocessing.lesions import PEAK
from skad.utils.files import sha256, write_json, written_whole
from skad.utils.tables import write_table
from skad.utils.typing import FloatArray, PathLike
from skad.version import GENERATED_BY, __version__

_MASK = "Voxels above the calibrated threshold, in components that are large enough"
COLUMNS = ("lesion", "volume_ml", "x_mm", "y_mm", "z_mm", "peak_score")


@dataclass(frozen=True)
class MapWriter:
    """Writes maps of one detector into one folder.

    The files of a scan are written in this order: the JSON file of an earlier map goes first; then the new
    map, its mask and table of lesions appear, each complete or not at all; the new JSON file, with the size
    and digest of the map, comes last. So whatever is killed when, a JSON file always describes the map beside
    it.

    Attributes
    ----------
    folder : pathlib.Path
    model : Model
    rule : LesionRule or None
        None writes no lesions.
    contrasts : tuple of str
        That the detector needs.
    scans : pathlib.Path
        Folder that the sources are told relative to.
    p_values : callable or None
        Anomaly scores to p-values; with it, masks of lesions are written.
    outside : {"nan", "zero"}
        What the maps hold outside the foreground.
    """

    folder: Path
    model: Model
    rule: LesionRule | None
    contrasts: tuple[str, ...]
    scans: Path
    p_values: Callable[[FloatArray], FloatArray] | None = None
    outside: str = "nan"

    def existing(self, volume: Volume) -> Record | None:
        """The record of a volume's map, if it is whole and of this detector and rule."""
        path = map_path(self.folder, volume)
        try:
            record = read_record(path)
        except SidecarError:
            return None
        same = record.sidecar.model.sha256 == self.model.sha256 and record.sidecar.rule == self.rule
        return record if same and self.model.sha256 and record.is_whole() else None

    def write(
        self,
        volume: Volume,
        anomaly: FloatArray,
        caught: Sequence[str] = (),
        inputs: Mapping[str, InputFile] | None = None,
    ) -> Record:
        """Write the map of a volume and what belongs to it.

        Parameters
        ----------
        volume : Volume
        anomaly : float array of shape ``volume.shape``
            NaN outside the foreground.
        caught : sequence of str
            Warnings that were raised on the way.
        inputs : dict of str to InputFile, default=None
            State of the files, taken before they were read.

        Returns
        -------
        Record

        Raises
        ------
        ValueError
            The map has no foreground; nothing is replaced then.
        """
        scores = anomaly[~np.isnan(anomaly)]
        if not scores.size:
            raise ValueError(f"The map of subject {volume.subject!r} has no foreground: check the mask.")
        path = map_path(self.folder, volume)
        remove(path)
        missing = missing_contrasts(self.contrasts, volume)
        image = to_image(anomaly, volume, outside=self.outside, description=describe_map(missing))
        content = image_bytes(image, path)
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
        summary, quantiles = summary_of(scores)
        lesions = self._write_lesions(path, volume, anomaly)
        if self.rule is not None:
            summary |= {
                "n_lesions": len(lesions),
                "lesion_volume_ml": sum(row["volume_ml"] for row in lesions),
            }
        files = volume.info.get("paths", {})
        sidecar = Sidecar(
            subject=volume.subject,
            session=volume.info.get("session") or "",
            model=self.model,
            rule=self.rule,
            contrasts=self.contrasts,
            missing_contrasts=missing,
            sources=tuple(source_uri(files[name], self.scans) for name in self.contrasts if name in files),
            outside=self.outside,
            shape=volume.shape,
            summary=summary,
            score_quantiles=quantiles,
            warnings=tuple(caught),
            inputs=dict(inputs or {}),
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        sidecar.write(sidecar_path(path))
        record = Record(path, sidecar)
        vars(record)["lesions"] = tuple(lesions)  # as the cached property would read them
        return record

    def _write_lesions(self, path, volume, anomaly):
        """Write the table of lesions, their numbered image and, if calibrated, a mask; returns the rows."""
        if self.rule is None:
            return []
        mask = anomaly > self.rule.threshold
        mask = remove_small_lesions(mask, volume.affine, min_volume=self.rule.min_volume)
        write_map(number_lesions(mask), volume, numbers_path(path))
        write_json(self._about(path, "Lesions, numbered as in lesions.csv"), sidecar_path(numbers_path(path)))
        columns = COLUMNS
        if self.p_values is not None:
            write_map(mask, volume, mask_path(path))
            write_json(self._about(path, _MASK), sidecar_path(mask_path(path)))
            columns = (*COLUMNS, "p_value")
        lesions = lesion_table(mask, anomaly, volume.affine, p_values=self.p_values)
        columns = (*columns, *PEAK)
        if lesions and is_in_mni_space(volume):
            places = describe_places([[row[name] for name in PEAK] for row in lesions])
            lesions = [row | {"region": place} for row, place in zip(lesions, places, strict=True)]
            columns = (*columns, "region")
        write_table(lesions, lesions_path(path), columns=columns)
        return lesions

    def _about(self, path, description):
        return {
            "Description": description,
            "Type": "Lesion",
            "Manual": False,
            "Sources": [f"bids::{path.relative_to(self.folder).as_posix()}"],
            "SpatialReference": "orig",
            **self.rule.as_json(),
            "GeneratedBy": GENERATED_BY,
        }


def write_references(references: Mapping[str, FloatArray], volume: Volume, path: Path) -> None:
    """Write the normal references of a volume beside its map.

    Parameters
    ----------
    references : dict of str to array of shape ``volume.shape``
        By contrast, of :meth:`skad.VolumeAnomalyDetector.reference_of`.
    volume : Volume
        Gives the grid.
    path : path
        Of the map.
    """
    for contrast, reference in references.items():
        write_map(reference, volume, reference_path(path, contrast))
        write_json(
            {
                "Description": "Normal reference: what the scan would look like if it were normal",
                "Units": "arbitrary",
                "GeneratedBy": GENERATED_BY,
            },
            sidecar_path(reference_path(path, contrast)),
        )


def remove(path: Path) -> None:
    """Remove what belongs to a map, its JSON file first; the map itself is left, to be replaced."""
    for each in (
        sidecar_path(path),
        figure_path(path),
        lesions_path(path),
        sidecar_path(numbers_path(path)),
        numbers_path(path),
        sidecar_path(mask_path(path)),
        mask_path(path),
        *(sidecar_path(each) for each in references_of(path).values()),
        *references_of(path).values(),
    ):
        each.unlink(missing_ok=True)


def missing_contrasts(contrasts: Sequence[str], volume: Volume) -> tuple[str, ...]:
    """Which of the contrasts a volume does not have."""
    sources = volume.contrasts.sources
    return tuple(name for name in contrasts if name not in sources or not np.any(sources[name].covered()))


def describe_map(missing: Sequence[str]) -> str:
    """The description in the header of a map."""
    text = f"anomaly, high=abnormal, skad {__version__}"
    return text + (f", without {' '.join(missing)}" if missing else "")


def model_of(estimator: BaseEstimator, path: PathLike | None = None) -> Model:
    """The name and digest of a detector's file, or of the file that :func:`skad.save` would write.

    Parameters
    ----------
    estimator : fitted estimator
    path : path-like, default=None

    Returns
    -------
    Model
        Without a digest where the estimator cannot be saved; its maps are not recognized later then.
    """
    if path is not None:
        return Model(Path(path).name, sha256(path))
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "detector.skad")
        try:
            save(estimator, saved)
        except ValueError:
            return Model(type(estimator).__name__, "")
        return Model(type(estimator).__name__, sha256(saved))
