"""``skad score``: a folder of scans to anomaly maps in the patients' own space."""

from pathlib import Path

from skad.cli.cohort import dataset_of
from skad.cli.detectors import load_detector
from skad.cli.json_output import record, record_under
from skad.cli.output import REPORT, complain, tell
from skad.cli.report import make_report
from skad.cli.scans import beside, copy_whole, is_file, place_for, scans_of
from skad.composition import reconstructor_in
from skad.derivatives.naming import DRIFT, LESIONS, SCORES, lesions_path
from skad.report import Gallery
from skad.report.gallery import VIEWERS
from skad.utils.tables import read_table


def score(
    detector,
    folder=None,
    *,
    out,
    image=(),
    mask=None,
    labels=None,
    where=(),
    fpr=None,
    min_volume=0.01,
    device="auto",
    jobs=None,
    figures=True,
    report=True,
    save_reference=False,
    resume=False,
    tables=True,
):
    """Write the anomaly maps of a folder or of one patient; parameters as in ``skad score --help``.

    Without ``tables``, several runs may score different scans into one folder.

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
    _set_rate(calibrator, fpr, path)
    if save_reference:
        reconstructor_in(detector.pipeline_)  # raises where there is none
    volumes, errors = scans_of(
        "score",
        *(folder, image),
        mask=mask,
        labels=labels,
        contrasts=detector.contrasts_,
        where=where,
        known=detector.contrasts_,
    )
    gallery = Gallery(
        figures=figures and not is_file(out),
        viewers=VIEWERS if report else 0,
        detector=detector if save_reference else None,
    )
    with place_for(out, volumes) as place:
        maps = detector.score_cohort(
            volumes,
            out=place,
            calibrator=calibrator,
            min_volume=min_volume,
            n_jobs=jobs,
            resume=resume,
            tables=tables,
            model=path,
            scans=None if folder is None else dataset_of(folder)[0],
            visitor=gallery,
            unreadable=errors,
        )
        complain("score", maps.errors)
        if not len(maps):
            return 2
        (_copy_map if is_file(out) else _tell_maps)(maps, out)
        failed = dict(maps.errors)
        if report:
            page = beside(out, ".html") if is_file(out) else out / REPORT
            failed |= make_report(maps, volumes, page, scans=folder, gallery=gallery)
    return 1 if failed else 0


def _tell_maps(maps, out):
    """Say where the maps of a cohort are."""
    _record_tables(maps)
    summarized = f", summarized in {out / SCORES}" if (out / SCORES).exists() else ""
    tell(f"{len(maps)} maps in {out}{summarized}; {len(maps.errors)} subjects failed.")


def _copy_map(maps, out):
    """Put the map of one patient, and its lesions, where they were asked for, and say what it shows."""
    (each,) = maps
    copy_whole(each.path, out)
    record(map=out, summary=each.sidecar.summary, lesions=each.lesions, warnings=each.warnings)
    found = ""
    if each.sidecar.rule is not None:
        copy_whole(lesions_path(each.path), beside(out, "_lesions.csv"))
        found = f"; {len(each.lesions)} lesions above {each.sidecar.rule.threshold:.4g}"
    tell(f"{out}: highest score {each.peak:.4g}{found}.")


def _set_rate(calibrator, fpr, path):
    """The calibrated threshold at a false-positive rate that is asked for."""
    if calibrator is not None:
        calibrator.set_params(fpr=calibrator.fpr if fpr is None else fpr)._validate_params()
    elif fpr is not None:
        raise ValueError(
            f"--fpr {fpr:g} needs a calibrated detector, which {path} is not: first run "
            f"`skad calibrate {path} NORMAL --out calibrated.skad` on a folder of normal subjects."
        )


def _record_tables(maps):
    """What stands in the tables that were written, for ``--json``."""
    tables = {path: read_table(path) for path in (maps.folder / SCORES, maps.folder / DRIFT) if path.exists()}
    for each in maps:
        if each.sidecar.rule:
            tables[each.path.parent.parent / LESIONS] = each.lesions
    record_under("tables", {path.as_posix(): rows for path, rows in tables.items()})
