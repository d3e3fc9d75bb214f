"""``skad report``: the maps of a folder as one HTML file, to look at and to hand on."""

import json
from pathlib import Path

import numpy as np
from tqdm import tqdm

from skad.cli.arguments import VIEWERS
from skad.cli.cohort import load_cohort
from skad.cli.doubts import warn_of_background, warn_of_drift, warnings_of
from skad.cli.json_output import record
from skad.cli.label_tables import label_figures, label_tables, read_table
from skad.cli.lesions import TABLE as LESIONS
from skad.cli.output import (
    ENDING,
    SCORES,
    complain,
    map_name,
    map_path,
    one_line,
    sidecar_path,
    tell,
)
from skad.io.nifti import open_nifti
from skad.metrics import ScoreHistogram
from skad.postprocessing import voxel_volume
from skad.report import SubjectReport, viewer_data, write_html

AXES = ("x_mm", "y_mm", "z_mm")


def report(maps, *, out, scans=None, threshold=None, viewers=VIEWERS):
    """Write the report of a folder of maps; parameters as in ``skad report --help``.

    Returns
    -------
    int
        0; 1 when some subjects could not be shown.

    Raises
    ------
    ValueError
        One sentence that names the folder or option, as when no map can be shown.
    """
    maps, out = Path(maps), Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--out {out} should end in .html.")
    sidecars = _sidecars(maps)
    volumes, errors = [], {}
    if scans is not None:
        volumes, errors = load_cohort(scans, contrasts=next(iter(sidecars.values()))["Contrasts"])
        if not {map_path(maps, volume) for volume in volumes} & sidecars.keys():
            raise ValueError(
                f"--scans {scans} holds none of the subjects of {maps}: give those the maps were made from."
            )
        complain("report", errors)
    errors |= write_report(maps, volumes, out, scans=scans, threshold=threshold, viewers=viewers, every=True)
    return 1 if errors else 0


def write_report(
    maps, volumes, out, *, scans=None, threshold=None, viewers=VIEWERS, every=False, evaluated=True
):
    """Write the report of those maps of a folder that are of some volumes, and tell what was written.

    Parameters
    ----------
    maps : path
        Of ``skad score``.
    volumes : list of Volume
        The scans, with labels where they are known.
    out : path
        The HTML file.
    scans : path-like, default=None
        The folder of the scans.
    threshold : float, default=None
        None takes that of ``skad score``.
    viewers : int
        Subjects with a page of their own.
    every : bool, default=False
        Show the maps without a volume too.
    evaluated : bool, default=True
        Show what ``skad evaluate`` left in the folder.

    Returns
    -------
    dict of str to Exception
        Of the maps that cannot be shown, each told in a line.

    Raises
    ------
    ValueError
        There is no map, or none can be shown.
    """
    volumes = {map_path(maps, volume): volume for volume in volumes}
    sidecars = {path: each for path, each in _sidecars(maps).items() if every or path in volumes}
    threshold, explanation = _threshold(sidecars, threshold)
    warnings = warnings_of(sidecars)
    cohort = warn_of_drift(maps, warnings)
    subjects, errors, histogram = [], {}, ScoreHistogram()
    for path, sidecar in tqdm(sidecars.items(), desc="report", unit="subject", disable=None):
        show = len(subjects) < viewers
        try:
            subject = _subject(path, sidecar, volumes.get(path), threshold, histogram, show=show)
            subject.warnings.extend(warnings[path])
            subjects.append(subject)
        except (ValueError, OSError) as error:
            errors[map_name(path)] = error
    complain("report", errors)
    if not subjects:
        raise ValueError(f"{maps}: none of {len(sidecars)} maps can be shown.")
    failed = {name: one_line(error) for name, error in errors.items()} | _failed(maps)
    write_html(
        out,
        subjects,
        title=f"Anomaly maps of {len(subjects)} subject{'s' * (len(subjects) != 1)}",
        threshold=explanation,
        facts=_facts(maps, scans, sidecars),
        warnings=[*cohort, *(f"{name} is not shown: {error}" for name, error in failed.items())],
        tables=label_tables(maps) if evaluated else {},
        figures=label_figures(maps, histogram, evaluated=evaluated),
    )
    size = out.stat().st_size / 1e6
    record(report=out)
    tell(f"{out}: {len(subjects)} subjects, {size:.1f} MB; open it in a browser.")
    return errors


def _sidecars(maps):
    """What stands beside every map, highest peak first."""
    paths = sorted(maps.glob(f"sub-*/**/anat/*_{ENDING}.nii.gz"))
    found = {
        path: json.loads(sidecar_path(path).read_text()) for path in paths if sidecar_path(path).exists()
    }
    if not found:
        raise ValueError(
            f"{maps} holds no sub-*/anat/*_{ENDING}.nii.gz with its .json: give a folder of `skad score`."
        )
    return dict(sorted(found.items(), key=lambda each: -each[1]["Summary"]["maximum"]))


def _threshold(sidecars, asked):
    """The threshold of the cohort, and a sentence on where it is from."""
    rules = [sidecar["Lesions"] for sidecar in sidecars.values() if sidecar.get("Lesions")]
    if asked is not None:
        return asked, f"Threshold: a score of {asked:.4g}, as asked for."
    if rules:
        threshold, rate = rules[0]["Threshold"], rules[0].get("FalsePositiveRate")
        origin = (
            "the detector's own, which promises no false-positive rate"
            if rate is None
            else f"calibrated to a {rules[0]['Unit']}-wise false-positive rate of {rate:g} in normal subjects"
        )
        return threshold, f"Threshold: a score of {threshold:.4g}, {origin}."
    threshold = float(np.median([each["Summary"]["percentile_99"] for each in sidecars.values()]))
    return threshold, (
        f"Threshold: a score of {threshold:.4g}, the top 1 % of the voxels of the median subject, for want "
        "of a calibrated one: every subject has something above such a threshold, normal or not."
    )


def _subject(path, sidecar, volume, threshold, histogram, *, show):
    """What the report tells of a map; adds its voxels to the histogram where there are labels."""
    file = open_nifti(path)
    anomaly = file.load().astype(np.float32)
    if sidecar["OutsideForeground"] == 0:
        anomaly[anomaly == 0] = np.nan
    _check_grid(file, volume)
    labels, unreadable = _labels(volume)
    if labels is not None:
        histogram.update(labels, anomaly)
    viewer = None
    if show:
        images = {} if volume is None else _images(volume, sidecar)
        viewer = viewer_data(images, anomaly, file.affine, threshold=threshold, labels=labels)
    return SubjectReport(
        name=map_name(path),
        peak=float(np.nanmax(anomaly)),
        volume_ml=np.count_nonzero(anomaly > threshold) * voxel_volume(file.affine),
        warnings=[*unreadable, *warn_of_background(anomaly)],
        lesions=_lesions(path, anomaly, file.affine),
        viewer=viewer,
    )


def _check_grid(file, volume):
    if volume is not None and (
        file.shape != volume.shape or not np.allclose(file.affine, volume.affine, atol=1e-3)
    ):
        raise ValueError(
            f"{file.path} lies on another grid than the images of {volume.subject!r}: score them again."
        )


def _labels(volume):
    """The labels of a volume, where it has some that can be read, and what to tell where they cannot."""
    if volume is None or not volume.has_labels:
        return None, []
    try:
        return volume.labels, []
    except (ValueError, OSError) as error:
        return None, [f"labels: {one_line(error)}"]


def _lesions(path, anomaly, affine):
    """Rows of lesions.csv, each at its peak instead of its centroid, which may lie outside of the lesion."""
    rows = read_table(path.parent.parent / LESIONS)
    peaks = np.array([row["peak_score"] for row in rows], dtype=np.float32)
    places = np.argwhere(np.isin(anomaly, peaks))
    mm, scores = places @ affine[:3, :3].T + affine[:3, 3], anomaly[tuple(places.T)]
    for row, peak in zip(rows, peaks, strict=True):
        found = mm[scores == peak]
        if len(found):
            centroid = [row[axis] for axis in AXES]
            nearest = found[np.linalg.norm(found - centroid, axis=1).argmin()]
            row |= dict(zip(AXES, nearest.tolist(), strict=True))
    return rows


def _images(volume, sidecar):
    names = [name for name in volume.contrasts if name not in sidecar["MissingContrasts"]]
    return {name: volume.contrasts[name] for name in names}


def _failed(maps):
    """The subjects that ``skad score`` could not score."""
    return {row["subject"]: row["error"] for row in read_table(maps / SCORES) if row.get("error")}


def _facts(maps, scans, sidecars):
    first = next(iter(sidecars.values()))
    models = {sidecar["Model"]["File"]: sidecar["Model"]["SHA256"] for sidecar in sidecars.values()}
    return {
        "maps": maps.name,
        "scans": Path(scans).name if scans else "not given (--scans): maps are shown without the images",
        "contrasts": ", ".join(first["Contrasts"]),
        "detector": "; ".join(f"{name}, SHA-256 {sha[:12]}…" for name, sha in models.items()),
        "made with": " ".join(first["GeneratedBy"][0][key] for key in ("Name", "Version")),
    }
