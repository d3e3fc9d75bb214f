"""``skad evaluate``: maps against the truth, per patient, per class and per lesion size."""

from skad.cli.report import make_report
from skad.cli.scans import load_cohort
from skad.cli.terminal import REPORT, complain, record_tables, say, tell
from skad.derivatives import Derivative
from skad.derivatives.naming import name_of
from skad.evaluation import evaluate as evaluate_maps
from skad.evaluation.scan import RANKING
from skad.io import Volume
from skad.report import Gallery, write_evaluation
from skad.report.labels import EVALUATION, LESION_SIZES
from skad.utils.progress import Progress


def evaluate(maps, folder, *, size_step, report, **scans):
    """Compare maps with labels; 1 when some subjects could not be evaluated, 2 when none could."""
    maps = Derivative(maps)
    volumes, errors = load_cohort(folder, contrasts=maps.contrasts, **scans)
    labeled = [volume for volume in volumes if volume.has_labels]
    if volumes and not labeled:
        raise ValueError(
            f"{folder} has no labels to compare with: add label-lesion masks (BIDS) or segmentations."
        )
    gallery = Gallery(threshold=maps.threshold()[0]) if report else None
    visited = gallery.visited(labeled, maps) if report else map(Volume.cached, labeled)
    table = evaluate_maps(maps, _followed(visited, len(labeled)), size_step=size_step)
    errors |= table.errors
    complain("evaluate", errors)
    if not table.rows:
        return 2
    record_tables(write_evaluation(table, maps.folder))
    _print(table)
    tell(f"Tables: {maps.folder / EVALUATION}, {maps.folder / LESION_SIZES}.")
    if report:
        options = {"scans": folder, "evaluation": table, "gallery": gallery}
        errors |= make_report(maps.only(volumes), volumes, maps.folder / REPORT, **options)
    return 1 if errors else 0


def _followed(volumes, total):
    """The volumes, each told as finished when the next one is asked for."""
    with Progress("evaluate", total) as progress:
        for volume in volumes:
            yield volume
            progress.step(name_of(volume))


def _print(table):
    tell(f"{len({row['subject'] for row in table.rows})} subjects")
    say(f"{'':<11}{'label':>9}  {'  '.join(f'{name:>17}' for name in RANKING)}")
    for row in table.summary():
        scores = "  ".join(f"{row[name]:17.3f}" for name in RANKING)
        say(f"{row['subject']:<11}{row['label']!s:>9}  {scores}")
