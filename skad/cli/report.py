"""``skad report``: the maps of a folder as one HTML file, to look at and to hand on."""

from pathlib import Path

from skad.cli.scans import load_cohort
from skad.cli.terminal import complain, record, tell
from skad.derivatives import Derivative
from skad.report import write_report
from skad.report.labels import LabelScores
from skad.utils.messages import counted


def report(maps, *, out, scans, threshold, viewers, strict):
    """Write the report of a folder of maps; 1 when some subjects could not be shown."""
    maps, out = Derivative(maps), Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"--out {out} should end in .html.")
    volumes, errors = [], {}
    if scans is not None:
        volumes, errors = load_cohort(scans, contrasts=maps.contrasts, strict=strict)
        if not any(maps.pairs(volumes)):
            raise ValueError(
                f"--scans {scans} holds none of the subjects of {maps.folder}: give those the maps were made "
                "from."
            )
        complain(errors)
    evaluation = LabelScores.read(maps.folder)
    options = {"threshold": threshold, "viewers": viewers, "scans": scans, "evaluation": evaluation}
    errors |= make_report(maps, volumes, out, **options)
    return 1 if errors else 0


def make_report(maps, volumes, path, **options):
    """Write a report, and tell of it and of the maps that it does not show; returns their errors."""
    errors = write_report(maps, volumes, path, **options)
    complain(errors)
    record(report=path)
    n_shown, size = len(maps) - len(errors), path.stat().st_size / 1e6
    tell(f"{path}: {counted(n_shown, 'subject')}, {size:.1f} MB; open it in a browser.")
    return errors
