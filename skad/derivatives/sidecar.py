"""What stands beside a map: what it was made from, by which detector, and its scores in a few numbers."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from skad.calibration.drift import summarize
from skad.derivatives.inputs import InputFile
from skad.derivatives.rule import LesionRule
from skad.utils.files import write_json
from skad.utils.typing import Array
from skad.version import GENERATED_BY, __version__

_OUTSIDE: dict[str, Any] = {"nan": "NaN", "zero": 0}
PERCENTILES = (50, 95, 99)


class SidecarError(ValueError):
    """The JSON file beside a map is missing or malformed; the message names the file and the defect.

    See Also
    --------
    skad.derivatives.Sidecar : What the file should hold.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.derivatives import Sidecar, SidecarError
    >>> path = Path(tempfile.mkdtemp(), "sub-01_desc-anomaly_map.json")
    >>> _ = path.write_text("{}")
    >>> try:
    ...     Sidecar.read(path)
    ... except SidecarError as error:
    ...     print("score the subject again" in str(error))
    True
    """


@dataclass(frozen=True)
class Model:
    """The file of a detector, identified by its digest.

    Attributes
    ----------
    file : str
        Name of the file.
    sha256 : str
        SHA-256 digest of its content, hexadecimal.

    See Also
    --------
    skad.derivatives.Sidecar : Names the model of a map.

    Examples
    --------
    >>> from skad.derivatives import Model
    >>> Model(file="adm.skad", sha256="9f86d081").file
    'adm.skad'
    """

    file: str
    sha256: str


@dataclass(frozen=True)
class Sidecar:
    """The content of the JSON file beside a map.

    Attributes
    ----------
    subject, session : str
        Names given by the scans; `session` is empty if there is only one.
    model : Model
        The detector that made the map.
    rule : LesionRule or None
        The threshold; None if the detector has none.
    contrasts, missing_contrasts : tuple of str
        Contrasts that the detector was fitted to, and those that this scan lacks.
    sources : tuple of str
        BIDS URIs of the scans.
    outside : {"nan", "zero"}
        What the file holds outside the foreground.
    shape : tuple of 3 int
        Voxels of the map.
    summary : dict of str to number
        ``n_voxels`` of the foreground; ``mean``, ``percentile_50``, ``percentile_95``, ``percentile_99`` and
        ``maximum`` of its scores; with a rule, ``n_lesions`` and ``lesion_volume_ml``.
    score_quantiles : tuple of 5 float
        For :func:`skad.calibration.drift_p_value`.
    warnings : tuple of str
        Raised while the scan was read and scored.
    inputs : dict of str to InputFile
        State of the files that were read, by contrast, and "mask"; empty for volumes in memory.
    size, sha256 : int, str
        Bytes and digest of the map's file: a map that was cut short or replaced is not this one.
    software : str
        Name and version of the program that made the map.

    See Also
    --------
    skad.derivatives.Record : The map and its sidecar.

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
    >>> record.sidecar.contrasts, record.sidecar.shape
    (('T1w', 'FLAIR', 'ce-gadolinium_T1w'), (24, 28, 8))
    """

    subject: str
    session: str
    model: Model
    rule: LesionRule | None
    contrasts: tuple[str, ...]
    missing_contrasts: tuple[str, ...]
    sources: tuple[str, ...]
    outside: str
    shape: tuple[int, ...]
    summary: Mapping[str, float]
    score_quantiles: tuple[float, ...]
    warnings: tuple[str, ...] = ()
    inputs: Mapping[str, InputFile] = field(default_factory=dict)
    size: int = 0
    sha256: str = ""
    software: str = field(default=f"skad {__version__}")

    @property
    def foreground_share(self) -> float:
        """Share of the map's voxels that are foreground."""
        return self.summary["n_voxels"] / math.prod(self.shape)

    def write(self, path: Path) -> None:
        """Write the JSON file, complete or not at all."""
        write_json(self.as_json(), path)

    def as_json(self) -> dict[str, Any]:
        """Content of the JSON file, in BIDS' CamelCase."""
        return {
            "Description": "Anomaly map in the space of the input",
            "Sign": "high is abnormal",
            "Units": "arbitrary",
            "Subject": self.subject,
            "Session": self.session,
            "OutsideForeground": _OUTSIDE[self.outside],
            "Contrasts": list(self.contrasts),
            "MissingContrasts": list(self.missing_contrasts),
            "Sources": list(self.sources),
            "Model": {"File": self.model.file, "SHA256": self.model.sha256},
            "Lesions": self.rule and self.rule.as_json(),
            "GeneratedBy": GENERATED_BY,
            "Summary": dict(self.summary),
            "ScoreQuantiles": list(self.score_quantiles),
            "Warnings": list(self.warnings),
            "Inputs": {name: each.as_json() for name, each in self.inputs.items()},
            "Map": {"Shape": list(self.shape), "Bytes": self.size, "SHA256": self.sha256},
        }

    @classmethod
    def read(cls, path: Path) -> Self:
        """The content of a JSON file.

        Raises
        ------
        SidecarError
            It is no JSON, lacks a field, or holds a number that is not finite.
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
            detail = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
            raise SidecarError(
                f"{path} is not what skad writes beside a map ({detail}): score the subject again."
            ) from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The sidecar of a JSON file's content."""
        software = content["GeneratedBy"][0]
        summary = {str(name): _finite(name, value) for name, value in content["Summary"].items()}
        for name in ("n_voxels", "mean", *(f"percentile_{q}" for q in PERCENTILES), "maximum"):
            summary[name]
        return cls(
            subject=str(content["Subject"]),
            session=str(content["Session"]),
            model=Model(str(content["Model"]["File"]), str(content["Model"]["SHA256"])),
            rule=LesionRule.from_json(content["Lesions"]) if content["Lesions"] else None,
            contrasts=tuple(map(str, content["Contrasts"])),
            missing_contrasts=tuple(map(str, content["MissingContrasts"])),
            sources=tuple(map(str, content["Sources"])),
            outside="zero" if content["OutsideForeground"] == 0 else "nan",
            shape=tuple(map(int, content["Map"]["Shape"])),
            summary=summary,
            score_quantiles=tuple(_finite("ScoreQuantiles", each) for each in content["ScoreQuantiles"]),
            warnings=tuple(map(str, content["Warnings"])),
            inputs={str(k): InputFile.from_json(each) for k, each in content.get("Inputs", {}).items()},
            size=int(content["Map"]["Bytes"]),
            sha256=str(content["Map"]["SHA256"]),
            software=f"{software['Name']} {software['Version']}",
        )


def summary_of(scores: Array) -> tuple[dict[str, float], tuple[float, ...]]:
    """Foreground scores of shape (n,) in a few numbers: `Sidecar.summary` and `Sidecar.score_quantiles`."""
    summary: dict[str, float] = {"n_voxels": int(scores.size), "mean": float(scores.mean())}
    summary |= {f"percentile_{q}": float(np.percentile(scores, q)) for q in PERCENTILES}
    summary["maximum"] = float(scores.max())
    return summary, tuple(summarize(scores).tolist())


def _finite(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, not a finite number")
    return value
