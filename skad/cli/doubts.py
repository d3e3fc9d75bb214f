"""What a reader of a report should know before trusting a map."""

import numpy as np

from skad.calibration.drift import drift_p_value
from skad.cli.label_tables import read_table
from skad.cli.output import DRIFT, map_name, write_table
from skad.evaluation.collapse import says_nothing

DRIFT_LEVEL = 0.05
ALL = "all"  # in the table: every subject together
FULL = 0.9  # share of the grid above which foreground is no brain in a background
OTHER_SIZE = 1.5  # times the cohort's median foreground, or less than one over it


def warnings_of(sidecars):
    """What of each map its sidecar alone, beside those of the cohort, makes doubtful."""
    usual = float(np.median([each["Summary"]["n_voxels"] for each in sidecars.values()]))
    warnings = {}
    for path, sidecar in sidecars.items():
        summary = sidecar["Summary"]
        ratio = summary["n_voxels"] / usual
        warnings[path] = [
            text
            for holds, text in (
                (sidecar["MissingContrasts"], f"missing contrast: {', '.join(sidecar['MissingContrasts'])}"),
                (
                    says_nothing(summary["maximum"], summary["percentile_50"]),
                    "collapse: all scores are the same, the map says nothing",
                ),
                (
                    len(sidecars) > 2 and not 1 / OTHER_SIZE <= ratio <= OTHER_SIZE,
                    f"background: {ratio:.1f} times as many voxels count as brain as in the median subject: "
                    "look at the mask",
                ),
            )
            if holds
        ]
    return warnings


def write_drift(calibrator, quantiles, maps):
    """Compare scores with those of calibration, of all subjects together and of each: warning and table.

    Parameters
    ----------
    calibrator : ConformalCalibrator
    quantiles : dict of path to list of float
        ``ScoreQuantiles`` of every map.
    maps : path
        The folder, where drift.csv goes.
    """
    subjects = {}
    for path, row in quantiles.items():
        subjects.setdefault(map_name(path).split("_")[0], []).append(row)
    together = calibrator.warn_of_drift([np.mean(sessions, axis=0) for sessions in subjects.values()])
    own = {map_name(path): drift_p_value(calibrator.summaries_, [row]) for path, row in quantiles.items()}
    rows = [{"map": name, "p_value": p_value} for name, p_value in {ALL: together, **own}.items()]
    write_table(rows, maps / DRIFT)


def warn_of_drift(maps, warnings):
    """Warnings of a cohort whose scores were not those of calibration; adds the maps' own to `warnings`."""
    p_values = {row["map"]: row["p_value"] for row in read_table(maps / DRIFT)}
    if p_values.get(ALL, 1) > DRIFT_LEVEL:
        return []
    for path in warnings:
        own = p_values.get(map_name(path), 1)
        if own <= DRIFT_LEVEL:
            warnings[path].append(f"drift: scores unlike those of calibration (p = {own:.3f})")
    return [
        "Drift: the scores of this cohort do not look like those of the subjects of calibration "
        f"(p = {p_values[ALL]:.3f}): unless large lesions explain it, the false-positive rate does not hold "
        "here."
    ]


def warn_of_background(anomaly):
    """A warning where the map covers the grid, as it does without background."""
    share = np.mean(~np.isnan(anomaly))
    text = f"background: {share:.0%} of the image counts as brain: is the skull stripped, is there a mask?"
    return [text] if share > FULL else []
