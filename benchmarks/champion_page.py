"""The page of the lesion ensemble in the docs, from the rows of `benchmarks/champion.py`.

    python benchmarks/champion_page.py docs/results/champion.csv docs/results/champion.md

Rows of an earlier ensemble, without the mirror input, join the tables by `--without-mirror`. The text is that
of champion_template.md; {NAME} stands for the tables of a cohort that was judged on.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from spread import with_spread

from skad.evaluation import over_seeds

TEMPLATE = Path(__file__).with_name("champion_template.md")
SCORES = ("AUC", "AP", "Dice")
WHOLE = "ensemble, holes filled, smoothed across slices"
JUDGED = ("glioma", "ms", "stroke")
MISSING = "Not measured yet: there are no rows of this cohort."
LABELS = {"mixture": "mixture alone", "network": "networks alone, cross-fitted"}


def tables(rows, judged):
    """Scores, and average precision by size of the lesion, of every step on one cohort."""
    of_cohort = [row for row in rows if row["judged on"] == judged]
    if not of_cohort:
        return MISSING
    sizes = [name for name in of_cohort[0] if name.startswith("AP ")]
    return "\n\n".join(_table(of_cohort, columns) for columns in (SCORES, sizes))


def _table(rows, columns):
    lines = [["step", *columns], ["---"] * (1 + len(columns))]
    for step in dict.fromkeys(row["step"] for row in rows):
        values = [_over_seeds(rows, step, column) for column in columns]
        lines.append([LABELS.get(step, step), *values])
    return _markdown(lines)


def _over_seeds(rows, step, column):
    mean, deviation = over_seeds([float(row[column]) for row in rows if row["step"] == step])
    return "-" if np.isnan(mean) else with_spread(mean, deviation)


def false_positives(rows):
    """Share of normal pixels above the threshold, on hospitals that were trained on and on others."""
    lines = [["judged on", "hospitals trained on", "others"], ["---"] * 3]
    for judged in dict.fromkeys(row["judged on"] for row in rows):
        of_cohort = [row for row in rows if row["judged on"] == judged]
        columns = [f"false positives, {name} hospitals" for name in ("known", "new")]
        lines.append([judged, *(_over_seeds(of_cohort, WHOLE, column) for column in columns)])
    return _markdown(lines)


def costs(rows):
    """Epochs, time and memory of every training and scoring."""
    names = ("epochs", "training (s)", "training (CPU s)", "scoring (s per slice)", "memory (GB)")
    lines = [["device", "trained on, judged on", *names], ["---"] * (2 + len(names))]
    for device, cohort, judged in dict.fromkeys(_run(row) for row in rows):
        alike = [row for row in rows if _run(row) == (device, cohort, judged)]
        means = [np.mean([float(row[name]) for row in alike]) for name in names]
        lines.append([device, f"{cohort}, {judged}", *(f"{mean:.3g}" for mean in means)])
    return _markdown(lines)


def _run(row):
    return row["device"], row["cohort"], row["judged on"]


def _markdown(lines):
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(paths):
    return [row for path in paths for row in csv.DictReader(path.read_text().splitlines())]


def main():
    """Parse the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rows", type=Path, nargs="+", help="one or several files of champion.py")
    parser.add_argument("page", type=Path)
    parser.add_argument("--machine", default="", help="what the rows were measured on")
    parser.add_argument("--costs", type=Path, nargs="*", default=[], help="more rows, for the costs only")
    parser.add_argument("--without-mirror", type=Path, nargs="*", default=[], help="of an earlier ensemble")
    arguments = parser.parse_args()
    rows = _rows(arguments.rows)
    earlier = [row for row in _rows(arguments.without_mirror) if row["step"] == "ensemble"]
    earlier = [row | {"step": "ensemble without the mirror input"} for row in earlier]
    found = {name: tables(earlier + rows, name) for name in JUDGED}
    text = TEMPLATE.read_text(encoding="utf-8").format(
        machine=arguments.machine,
        false_positives=false_positives(rows),
        costs=costs(rows + _rows(arguments.costs)),
        **found,
    )
    arguments.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
