"""The tables of a study, made from its CSV files and nothing else: Markdown, and a CSV each for the pages."""

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skad.benchmark.cohort_tables import (
    cost_table,
    drift_tables,
    fidelity_tables,
    selection_tables,
    tuning_tables,
)
from skad.benchmark.fold_tables import fold_tables
from skad.benchmark.results import read_results
from skad.benchmark.study import Study
from skad.benchmark.summary import Summary
from skad.benchmark.table import Table
from skad.utils.files import written_whole

NOTES = """\
Mean ± standard deviation over the seeds. Methods with fewer than {min_seeds} seeds that ended well
have no number, and the row says why; methods without randomness run once. Scores are of the pooled
foreground pixels of a fold, or means over its subjects with 95 % bootstrap intervals. Everything at
a threshold uses the one with the best Dice on the validation fold. p is that of the paired t-test
over subjects; "Holm" corrects it for the number of comparisons in its table."""


def write_tables(study: Study, folder: Path) -> Path:
    """Write the tables of a study from the CSV files of its results.

    Parameters
    ----------
    study : Study
        Gives the title and the method that the others are compared with.
    folder : pathlib.Path
        The folder of results that :func:`run_study` wrote.

    Returns
    -------
    pathlib.Path
        ``tables.md``; the same tables as CSV files are in ``tables/``.

    See Also
    --------
    skad.benchmark.run_study : Writes the results.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.benchmark import parse_study, write_tables
    >>> study = parse_study(
    ...     {
    ...         "seeds": [0],
    ...         "cohort": {"loader": "phantom", "random_state": 0, "folds": {"train": 2, "test": 4}},
    ...         "methods": {"FLAIR": {"class": "IntensityScorer", "contrast": 1}},
    ...     }
    ... )
    >>> write_tables(study, Path(tempfile.mkdtemp())).name
    'tables.md'
    """
    results = read_results(folder)
    sections = make_tables(study, results)
    shutil.rmtree(folder / "tables", ignore_errors=True)
    (folder / "tables").mkdir()
    lines = [f"# {study.title}", "", NOTES.format(min_seeds=study.min_seeds), ""]
    for heading, tables in sections.items():
        lines += [f"## {heading}", ""]
        for table in tables:
            lines += table.markdown()
            with open(folder / "tables" / f"{table.name}.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([table.head, *table.rows])
    path = folder / "tables.md"
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return path


def make_tables(study: Study, results: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[Table]]:
    """All tables of a study.

    Parameters
    ----------
    study : Study
    results : dict of str to list of dict
        As of :func:`skad.benchmark.results.read_results`.

    Returns
    -------
    dict of str to list of Table
        By heading: every fold of every cohort that is trained on, then what its methods cost.
    """
    sections = {}
    for cohort in dict.fromkeys(row["cohort"] for row in results["runs"]):
        summary = Summary(study, results, cohort)
        for fold in summary.folds:
            title = {"validation": "validation fold", "test": "test fold"}.get(fold, fold)
            sections[f"Trained on {cohort}: {title}"] = fold_tables(summary, fold)
        sections[f"Trained on {cohort}: references and costs"] = [
            *fidelity_tables(summary),
            *selection_tables(summary),
            *tuning_tables(summary),
            *drift_tables(summary),
            cost_table(summary),
        ]
    return sections
