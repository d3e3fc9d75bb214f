"""What a reader of a report should know before trusting a map."""

import numpy as np

from skad.calibration.drift import drift_p_value
from skad.cli.detectors import load_detector
from skad.cli.output import digest

DRIFT_LEVEL = 0.05
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
                    summary["maximum"] <= summary["percentile_50"],
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


def warn_of_drift(path, sidecars, warnings):
    """Warnings of the cohort where its scores are not those of calibration; adds the subjects' own."""
    _, calibrator = load_detector(path, "cpu")
    if calibrator is None:
        raise ValueError(
            f"--detector {path} is not calibrated: give the file of `skad calibrate`, which tells drift."
        )
    if any(sidecar["Model"]["SHA256"] != digest(path) for sidecar in sidecars.values()):
        raise ValueError(f"--detector {path} is not the file these maps were made with: score them again.")
    summaries = {map_: sidecar["ScoreQuantiles"] for map_, sidecar in sidecars.items()}
    p_value = drift_p_value(calibrator.summaries_, list(summaries.values()))
    if p_value > DRIFT_LEVEL:
        return []
    for map_, summary in summaries.items():
        own = drift_p_value(calibrator.summaries_, [summary])
        if own <= DRIFT_LEVEL:
            warnings[map_].append(f"drift: scores unlike those of calibration (p = {own:.3f})")
    return [
        "Drift: the scores of this cohort do not look like those of the subjects of calibration "
        f"(p = {p_value:.3f}): unless large lesions explain it, the false-positive rate does not hold here."
    ]


def warn_of_background(anomaly):
    """A warning where the map covers the grid, as it does without background."""
    share = np.mean(~np.isnan(anomaly))
    text = f"background: {share:.0%} of the image counts as brain: is the skull stripped, is there a mask?"
    return [text] if share > FULL else []
