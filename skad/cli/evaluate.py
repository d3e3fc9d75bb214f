"""``skad evaluate``: maps against the truth, per patient, per class and per lesion size."""

import contextlib

from skad.cli.cohort import load_cohort
from skad.cli.feedback import say
from skad.cli.output import REPORT, complain, tell, write_table
from skad.cli.report import make_report
from skad.derivatives import Derivative
from skad.derivatives.naming import name_of
from skad.evaluation import evaluate as evaluate_maps
from skad.evaluation.scan import RANKING
from skad.io import Volume
from skad.plotting import plot_roc, save_figure
from skad.report import Gallery
from skad.report.labels import EVALUATION, LESION_SIZES, LESION_VOLUMES, ROC
from skad.utils.progress import Progress


def evaluate(maps, folder, *, where=(), size_step=200, report=True):
    """Compare the maps of a folder with the labels of another; parameters as in ``skad evaluate --help``.

    Returns
    -------
    int
        0; 1 when some subjects could not be evaluated; 2 when none could.

    Raises
    ------
    ValueError
        One sentence that names the folder.
    """
    maps = Derivative(maps)
    volumes, errors = load_cohort(folder, contrasts=maps.contrasts, where=where)
    labeled = [volume for volume in volumes if volume.has_labels]
    if volumes and not labeled:
        raise ValueError(
            f"{folder} has no labels to compare with: add label-lesion masks (BIDS) or segmentations."
        )
    gallery = Gallery(threshold=maps.threshold()[0]) if report else None
    table = evaluate_maps(maps, _visited(labeled, maps, gallery), size_step=size_step)
    errors |= table.errors
    complain("evaluate", errors)
    if not table.rows:
        return 2
    _write(table, maps.folder)
    if report:
        options = {"scans": folder, "evaluation": table, "gallery": gallery}
        errors |= make_report(maps.only(volumes), volumes, maps.folder / REPORT, **options)
    return 1 if errors else 0


def _visited(volumes, maps, gallery):
    """The volumes one after the other; pages of the report are made before each is let go."""
    with Progress("evaluate", len(volumes)) as progress:
        for volume in map(Volume.cached, volumes):
            yield volume
            record = maps.record_of(volume)
            if gallery is not None and record is not None:
                with contextlib.suppress(ValueError, OSError):  # the report tries again, and tells
                    record.check_grid(volume)
                    gallery.keep(record, gallery.page(record, volume, record.anomaly))
            progress.step(name_of(volume))


def _write(table, folder):
    summary = table.summary()
    write_table([*table.rows, *summary], folder / EVALUATION)
    for rows, name in ((table.lesion_sizes, LESION_SIZES), (table.lesions_by_volume(), LESION_VOLUMES)):
        if rows:
            write_table(rows, folder / name)
    if curves := table.roc_curves():
        save_figure(plot_roc(curves), folder / ROC)
    tell(f"{len({row['subject'] for row in table.rows})} subjects")
    say(f"{'':<11}{'label':>9}  {'  '.join(f'{name:>17}' for name in RANKING)}")
    for row in summary:
        scores = "  ".join(f"{row[name]:17.3f}" for name in RANKING)
        say(f"{row['subject']:<11}{row['label']!s:>9}  {scores}")
    tell(f"Tables: {folder / EVALUATION}, {folder / LESION_SIZES}.")
