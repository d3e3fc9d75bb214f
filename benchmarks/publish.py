"""Rows and figures of a finished study into the documentation.

    skad benchmark benchmarks/studies/stroke.toml --data ../shared/data --out results/stroke
    python benchmarks/publish.py stroke --results results/stroke

Copies the CSV files, numbers with six digits, to docs/results/rows/STUDY and the figures to
docs/images/STUDY-*.png. Tables are made from the rows whenever the documentation is built; a page shows
one as

    ```{csv-table} Title
    :file: rows/STUDY/tables/COHORT_FOLD_NAME.csv
    :header-rows: 1
    ```

The names of the tables are printed.
"""

import argparse
import math
import shutil
from pathlib import Path

from skad.benchmark import read_study, write_tables
from skad.benchmark.results import COSTS, OPTIONAL, TABLES, read_rows, write_rows

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"


def _rounded(row):
    """Six digits of every number, an empty cell for NaN: the repository keeps these files."""
    return {
        key: ("" if math.isnan(value) else float(f"{value:.6g}")) if isinstance(value, float) else value
        for key, value in row.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="its name in benchmarks/studies")
    parser.add_argument("--results", type=Path, required=True, help="the folder that skad benchmark wrote")
    arguments = parser.parse_args()
    rows = DOCS / "results" / "rows" / arguments.study
    rows.mkdir(parents=True, exist_ok=True)
    for name in (*TABLES, COSTS, *OPTIONAL):
        path = arguments.results / f"{name}.csv"
        if path.exists():
            write_rows([_rounded(row) for row in read_rows(path)], rows / path.name)
    for figure in sorted((arguments.results / "figures").glob("*.png")):
        shutil.copyfile(figure, DOCS / "images" / f"{arguments.study}-{figure.name}")
    write_tables(read_study(HERE / "studies" / f"{arguments.study}.toml"), rows)
    for table in sorted((rows / "tables").glob("*.csv")):
        print(table.relative_to(DOCS / "results"))


if __name__ == "__main__":
    main()
