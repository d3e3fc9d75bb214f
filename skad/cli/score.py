"""``skad score``: a folder of scans to anomaly maps in the patients' own space."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skad.calibration.drift import summarise
from skad.cli.cohort import load_cohort
from skad.cli.detectors import load_detector
from skad.cli.doubts import write_drift
from skad.cli.lesions import lesion_rule
from skad.cli.output import (
    DRIFT,
    GENERATED_BY,
    REPORT,
    SCORES,
    check_distinct,
    complain,
    digest,
    figure_path,
    map_path,
    name_of,
    new_folder,
    one_line,
    sidecar_path,
    tell,
    write_json,
    write_table,
)
from skad.cli.report import write_report
from skad.derivatives.bids import describe_derivative, source_uri
from skad.io import save_image
from skad.plotting import plot_volume, save_figure


def score(
    detector,
    folder,
    *,
    out,
    where=(),
    fpr=None,
    min_volume=0.01,
    device="auto",
    jobs=None,
    figures=True,
    report=True,
    resume=False,
):
    """Write the anomaly map of every subject of a folder; parameters as in ``skad score --help``.

    Returns
    -------
    int
        0; 1 when some subjects failed and the others were scored; 2 when all failed.

    Raises
    ------
    ValueError
        One sentence that names the file or option.
    """
    path, out = Path(detector), Path(out)
    detector, calibrator = load_detector(path, device)
    rule = lesion_rule(path, detector, calibrator, fpr=fpr, min_volume=min_volume)
    run = {"Model": {"File": path.name, "SHA256": digest(path)}, "Lesions": rule and rule.settings()}
    volumes, errors = load_cohort(folder, contrasts=detector.contrasts_, where=where)
    check_distinct(volumes)
    with new_folder(out):
        to_do = [volume for volume in volumes if not (resume and _sidecar(out, volume, run))]
        maps = detector.score_volumes(to_do, n_jobs=jobs, on_error="yield")
        for volume, image in tqdm(maps, total=len(to_do), unit="subject", disable=None):
            try:
                _write(volume, image, detector, rule, run, out, figures, scans=folder)
            except Exception as error:  # one bad subject must not end a night's work
                errors[name_of(volume)] = error
        code = _finish(out, volumes, run, errors, scans=folder)
        _check_drift(calibrator, out, volumes, run)
        if report and code != 2:
            made = [volume for volume in volumes if _sidecar(out, volume, run)]
            code |= bool(write_report(out, made, out / REPORT, scans=folder, evaluated=False))
        return code


def _write(volume, image, detector, rule, run, out, figures, *, scans):
    if isinstance(image, Exception):
        raise image
    path = save_image(image, map_path(out, volume))
    anomaly = np.asarray(image.dataobj)
    outside = detector.preprocessor_.outside
    if outside == "zero":
        anomaly = np.where(anomaly == 0, np.nan, anomaly)
    scores = anomaly[~np.isnan(anomaly)]
    lesions = rule.write(volume, anomaly, out) if rule else {}
    present = [name for name in detector.contrasts_ if name in volume.info["paths"]]
    sidecar = {
        "Description": "Anomaly map in the space of the input",
        "Sign": "high is abnormal",
        "Units": "arbitrary",
        "OutsideForeground": "NaN" if outside == "nan" else 0,
        "Contrasts": list(detector.contrasts_),
        "MissingContrasts": [name for name in detector.contrasts_ if name not in present],
        "Sources": [source_uri(volume.info["paths"][name], scans) for name in present],
        **run,
        "GeneratedBy": GENERATED_BY,
        "Summary": _statistics(scores) | lesions,
        "ScoreQuantiles": summarise(scores).tolist(),
    }
    write_json(sidecar, sidecar_path(path))
    if figures:
        save_figure(plot_volume(volume, anomaly, contrasts=present), figure_path(out, volume))


def _statistics(scores):
    return {
        "n_voxels": int(scores.size),
        "mean": float(scores.mean()),
        **{f"percentile_{q}": float(np.percentile(scores, q)) for q in (50, 95, 99)},
        "maximum": float(scores.max()),
    }


def _sidecar(out, volume, run):
    """What stands beside the map of a volume, or None where this detector and rule have not made it."""
    path = map_path(out, volume)
    if not (path.exists() and sidecar_path(path).exists()):
        return None
    sidecar = json.loads(sidecar_path(path).read_text())
    return sidecar if all(sidecar.get(name) == value for name, value in run.items()) else None


def _summary(out, volume, run):
    """The row of a volume in the table, or None where it has no map."""
    sidecar = _sidecar(out, volume, run)
    if sidecar is None:
        return None
    missing = " ".join(sidecar["MissingContrasts"])
    return {
        "map": map_path(out, volume).relative_to(out),
        **sidecar["Summary"],
        "missing_contrasts": missing,
    }


def _check_drift(calibrator, out, volumes, run):
    """Warn where the patients, each with all sessions, do not look like those of calibration."""
    (out / DRIFT).unlink(missing_ok=True)
    sidecars = {map_path(out, volume): _sidecar(out, volume, run) for volume in volumes}
    quantiles = {path: each["ScoreQuantiles"] for path, each in sidecars.items() if each}
    if calibrator is not None and quantiles:
        write_drift(calibrator, quantiles, out)


def _finish(out, volumes, run, errors, *, scans):
    """The table of all maps, a line for every subject that failed, and the exit code."""
    complain("score", errors)
    made = {name_of(volume): row for volume in volumes if (row := _summary(out, volume, run))}
    if not made:
        return 2
    failed = {name: {"error": one_line(error)} for name, error in errors.items()}
    rows = [{"subject": name, **made.get(name, {}), **failed.get(name, {})} for name in made | failed]
    describe_derivative(out, scans)
    write_table(rows, out / SCORES)
    tell(f"{len(made)} maps in {out}, summarised in {out / SCORES}; {len(errors)} subjects failed.")
    return 1 if errors else 0
