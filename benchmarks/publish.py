"""Rows and figures of a finished study into the documentation.

    skad benchmark benchmarks/studies/stroke.toml --data ../shared/data --out results/stroke
    python benchmarks/publish.py stroke --results results/stroke

Copies the CSV files, numbers with six digits, to docs/results/rows/STUDY; of scans.csv only what tables
are made from. Draws the figures and copies them to docs/images/STUDY-*.png. Tables are made from the rows
whenever the documentation is built; a page shows one as

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

from skad.benchmark import read_study, write_figures, write_tables
from skad.benchmark.fold_tables import LESIONS, RANKING
from skad.benchmark.results import COSTS, OPTIONAL, TABLES, read_rows, write_rows
from skad.evaluation.scan import ANY

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
_KEYS = ("cohort", "method", "seed", "fold", "subject", "session", "label")
_OF_SCANS = (*_KEYS, *RANKING.values(), *LESIONS.values())


def published(name, rows):
    """The rows of a table that the repository keeps: few digits, an empty cell for NaN.

    Of the table "scans", by far the largest, what the pages' tables are made from: four digits of the scores
    of any abnormality, outside the validation fold.
    """
    if name != "scans":
        return [_rounded(row, 6) for row in rows]
    shown = [row for row in rows if row["label"] == ANY and row["fold"] != "validation"]
    return [_rounded({key: row[key] for key in _OF_SCANS if key in row}, 4) for row in shown]


def _rounded(row, digits):
    floats = {key: value for key, value in row.items() if isinstance(value, float)}
    return row | {k: "" if math.isnan(v) else float(f"{v:.{digits}g}") for k, v in floats.items()}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", help="its name in benchmarks/studies")
    parser.add_argument("--results", type=Path, required=True, help="the folder that skad benchmark wrote")
    arguments = parser.parse_args()
    study = read_study(HERE / "studies" / f"{arguments.study}.toml")
    rows = DOCS / "results" / "rows" / arguments.study
    rows.mkdir(parents=True, exist_ok=True)
    for name in (*TABLES, COSTS, *OPTIONAL):
        path = arguments.results / f"{name}.csv"
        if path.exists():
            write_rows(published(name, read_rows(path)), rows / path.name)
    write_figures(study, arguments.results)
    for figure in sorted((arguments.results / "figures").glob("*.png")):
        if not figure.stem.endswith("validation"):
            shutil.copyfile(figure, DOCS / "images" / f"{arguments.study}-{figure.name}")
    write_tables(study, rows)
    for table in sorted((rows / "tables").glob("*.csv")):
        print(table.relative_to(DOCS / "results"))


if __name__ == "__main__":
    main()
