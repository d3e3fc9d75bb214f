"""The tables of the results pages, made from the committed rows of each study when the site is built."""

from pathlib import Path

from skad.benchmark import read_study, write_tables

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "docs" / "results" / "rows"


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", make_tables)
    return {"parallel_read_safe": True}


def make_tables(app, config):
    """Write ``rows/STUDY/tables/*.csv`` of every study with rows."""
    for rows in sorted(path.parent for path in ROWS.glob("*/runs.csv")):
        write_tables(read_study(ROOT / "benchmarks" / "studies" / f"{rows.name}.toml"), rows)
