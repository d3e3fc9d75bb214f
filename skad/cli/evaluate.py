"""``skad evaluate``: maps against the truth, per patient, per class and per lesion size."""

import contextlib

from skad.cli.report import make_report
from skad.cli.scans import load_cohort
from skad.cli.terminal import REPORT, complain, record_tables, say, tell
from skad.derivatives import Derivative, Visitor
from skad.evaluation import evaluate as evaluate_maps
from skad.evaluation.scan import RANKING
from skad.report import Gallery, write_evaluation
from skad.report.labels import EVALUATION, LESION_SIZES
from skad.utils.messages import counted


def evaluate(maps, folder, *, size_step, report, jobs=None, **scans):
    """Compare maps with labels; 1 when some subjects could not be evaluated, 2 when none could."""
    maps = Derivative(maps)
    volumes, errors = load_cohort(folder, contrasts=maps.contrasts, **scans)
    labeled = [volume for volume in volumes if volume.has_labels]
    if volumes and not labeled:
        raise ValueError(
            f"{folder} has no labels to compare with: add label-lesion masks (BIDS) or segmentations."
        )
    gallery = Gallery(threshold=maps.threshold()[0]) if report else None
    pages = None if gallery is None else _Pages(gallery)
    table = evaluate_maps(maps, labeled, size_step=size_step, n_jobs=jobs, visitor=pages)
    errors |= table.errors
    complain(errors)
    if not table.rows:
        return 2
    record_tables(write_evaluation(table, maps.folder))
    _print(table)
    tell(f"Tables: {maps.folder / EVALUATION}, {maps.folder / LESION_SIZES}.")
    if report:
        options = {"scans": folder, "evaluation": table, "gallery": gallery}
        errors |= make_report(maps.only(volumes), volumes, maps.folder / REPORT, **options)
    return 1 if errors else 0


class _Pages(Visitor):
    """Pages of the report, made while a scan and its map are in memory."""

    def __init__(self, gallery):
        self.gallery = gallery

    def visit(self, record, volume, anomaly):
        """The page of a map; None where it cannot be made: the report tries again, and tells."""
        with contextlib.suppress(ValueError, OSError):
            return self.gallery.page(record, volume, anomaly)

    def keep(self, record, result):
        """Hand a page to the gallery."""
        if result is not None:
            self.gallery.keep(record, result)


def _print(table):
    tell(counted(len({row["subject"] for row in table.rows}), "subject"))
    say(f"{'':<11}{'label':>9}  {'  '.join(f'{name:>17}' for name in RANKING)}")
    for row in table.summary():
        scores = "  ".join(f"{row[name]:17.3f}" for name in RANKING)
        say(f"{row['subject']:<11}{row['label']!s:>9}  {scores}")
