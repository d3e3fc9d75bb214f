"""``skad score``: a folder of scans to anomaly maps in the patients' own space."""

from pathlib import Path

from skad.cli.report import make_report
from skad.cli.scans import load_to_score
from skad.cli.terminal import REPORT, complain, record, record_tables, tell
from skad.composition import reconstructor_in
from skad.datasets.layout import dataset_of
from skad.derivatives.naming import DRIFT, SCORES, lesions_path
from skad.derivatives.one_map import beside, copy_map, folder_for, is_file
from skad.detector_file import load_detector
from skad.report import Gallery
from skad.report.gallery import VIEWERS
from skad.utils.messages import counted
from skad.utils.tables import read_table


def score(
    detector,
    folder,
    *,
    out,
    fpr,
    min_volume,
    device,
    jobs,
    figures,
    report,
    save_reference,
    resume,
    tables=True,
    **scans,
):
    """Write the anomaly maps of a folder or of one patient; 1 when some subjects failed, 2 when all did.

    Without `tables`, several runs may score different scans into one folder.
    """
    path, out = Path(detector), Path(out)
    detector, calibrator = load_detector(path, device)
    _set_rate(calibrator, fpr, path)
    if save_reference:
        reconstructor_in(detector.pipeline_)  # raises where there is none
    names = detector.contrasts_
    volumes, errors = load_to_score(folder, contrasts=names, known=names, **scans)
    gallery = Gallery(
        figures=figures and not is_file(out),
        viewers=VIEWERS if report else 0,
        detector=detector if save_reference else None,
    )
    with folder_for(out, volumes) as place:
        maps = detector.score_cohort(
            volumes,
            out=place,
            calibrator=calibrator,
            min_volume=min_volume,
            n_jobs=jobs,
            resume=resume,
            tables=tables,
            model=path,
            scans=None if folder is None else dataset_of(folder),
            visitor=gallery,
            unreadable=errors,
        )
        complain(maps.errors)
        if not len(maps):
            return 2
        (_copy_map if is_file(out) else _tell_maps)(maps, out)
        failed = dict(maps.errors)
        if report:
            page = beside(out, ".html") if is_file(out) else out / REPORT
            failed |= make_report(maps, volumes, page, scans=folder, gallery=gallery)
    return 1 if failed else 0


def _set_rate(calibrator, fpr, path):
    """The calibrated threshold at a false-positive rate that is asked for."""
    if calibrator is not None:
        calibrator.set_params(fpr=calibrator.fpr if fpr is None else fpr)._validate_params()
    elif fpr is not None:
        raise ValueError(
            f"--fpr {fpr:g} needs a calibrated detector, which {path} is not: first run "
            f"`skad calibrate {path} NORMAL --out calibrated.skad` on a folder of normal subjects."
        )


def _tell_maps(maps, out):
    """Say where the maps of a cohort are."""
    written = {
        path: read_table(path) for path in (maps.folder / SCORES, maps.folder / DRIFT) if path.exists()
    }
    of_scans = {lesions_path(each.path): each.lesions for each in maps if each.sidecar.rule}
    record_tables(written | of_scans)
    summarized = f", summarized in {out / SCORES}" if (out / SCORES).exists() else ""
    failed = counted(len(maps.errors), "subject")
    tell(f"{counted(len(maps), 'map')} in {out}{summarized}; {failed} failed.")


def _copy_map(maps, out):
    """Put the map of one patient, and its lesions, where they were asked for, and say what it shows."""
    (each,) = maps
    copy_map(each, out)
    record(map=out, summary=each.sidecar.summary, lesions=each.lesions, warnings=each.warnings)
    found = ""
    if each.sidecar.rule is not None:
        found = f"; {len(each.lesions)} lesions above {each.sidecar.rule.threshold:.4g}"
    tell(f"{out}: highest score {each.peak:.4g}{found}.")
