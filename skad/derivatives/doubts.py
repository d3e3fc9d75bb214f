"""What a reader should know before trusting the maps of a cohort."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from skad.calibration import ConformalCalibrator
from skad.calibration.drift import drift_p_value
from skad.derivatives.naming import DRIFT
from skad.derivatives.sidecar import Sidecar
from skad.evaluation.collapse import says_nothing
from skad.utils.tables import read_table, write_table

DRIFT_LEVEL = 0.05
ALL = "all"  # in the table of drift: every subject together
FULL = 0.9  # share of the grid above which foreground is no brain in a background
OTHER_SIZE = 1.5  # times the cohort's median foreground, or less than one over it


def map_warnings(sidecars: Mapping[str, Sidecar], drift: Mapping[str, float]) -> dict[str, tuple[str, ...]]:
    """What makes each map doubtful, alone and beside the others.

    Parameters
    ----------
    sidecars : dict of str to Sidecar
        By the name of the map.
    drift : dict of str to float
        Of `read_drift`.

    Returns
    -------
    dict of str to tuple of str
        By the name of the map, a sentence each.
    """
    sizes = [sidecar.summary["n_voxels"] for sidecar in sidecars.values()]
    usual = float(np.median(sizes)) if len(sizes) > 2 else None
    return {
        name: tuple(_doubts(sidecar, usual, drift.get(ALL, 1), drift.get(name, 1)))
        for name, sidecar in sidecars.items()
    }


def _doubts(sidecar, usual_size, drift_of_all, drift):
    summary = sidecar.summary
    yield from sidecar.warnings
    if sidecar.foreground_share > FULL:
        yield (
            f"background: {sidecar.foreground_share:.0%} of the image counts as brain: is the skull "
            "stripped, is there a mask?"
        )
    if sidecar.missing_contrasts:
        yield f"missing contrast: {', '.join(sidecar.missing_contrasts)}"
    if says_nothing(summary["maximum"], summary["percentile_50"]):
        yield "collapse: all scores are the same, the map says nothing"
    ratio = summary["n_voxels"] / usual_size if usual_size else 1
    if not 1 / OTHER_SIZE <= ratio <= OTHER_SIZE:
        yield (
            f"background: {ratio:.1f} times as many voxels count as brain as in the median subject: "
            "look at the mask"
        )
    if drift_of_all <= DRIFT_LEVEL and drift <= DRIFT_LEVEL:
        yield f"drift: scores unlike those of calibration (p = {drift:.3f})"


def cohort_warnings(sidecars: Iterable[Sidecar], drift: Mapping[str, float]) -> list[str]:
    """What is doubtful about all maps together."""
    warnings = []
    if drift.get(ALL, 1) <= DRIFT_LEVEL:
        warnings.append(
            "Drift: the scores of this cohort do not look like those of the subjects of calibration "
            f"(p = {drift[ALL]:.3f}): unless large lesions explain it, the false-positive rate does not hold "
            "here."
        )
    models = {sidecar.model.sha256: sidecar.model.file for sidecar in sidecars}
    if len(models) > 1:
        warnings.append(
            f"Detectors: the maps are of {len(models)} detectors ({', '.join(models.values())}), whose "
            "scores cannot be compared: score all subjects with one of them."
        )
    return warnings


def read_drift(folder: Path) -> dict[str, float]:
    """p-values of drift by map, and of all together under ``"all"``; empty where none were computed."""
    return {row["map"]: row["p_value"] for row in read_table(folder / DRIFT)}


def write_drift(calibrator: ConformalCalibrator, sidecars: Mapping[str, Sidecar], folder: Path) -> None:
    """Compare scores with those of calibration, of all patients together and of each map: warning and table.

    Parameters
    ----------
    calibrator : ConformalCalibrator
    sidecars : dict of str to Sidecar
        By the name of the map; at least one. The sessions of a patient count as one patient.
    folder : path
        Where drift.csv goes.

    Warns
    -----
    DriftWarning
        The scores of all patients together do not look like those of calibration.
    """
    patients: dict[str, list] = {}
    for sidecar in sidecars.values():
        patients.setdefault(sidecar.subject, []).append(sidecar.score_quantiles)
    together = calibrator.warn_of_drift([np.mean(sessions, axis=0) for sessions in patients.values()])
    own = {
        name: drift_p_value(calibrator.summaries_, [np.array(sidecar.score_quantiles)])
        for name, sidecar in sidecars.items()
    }
    rows = [{"map": name, "p_value": p_value} for name, p_value in {ALL: together, **own}.items()]
    write_table(rows, folder / DRIFT)
