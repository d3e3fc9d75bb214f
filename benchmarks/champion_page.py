"""The page of the lesion ensemble in the docs, from the rows of `benchmarks/champion.py`.

    python benchmarks/champion_page.py docs/results --machine "an NVIDIA H200, torch 2.11"

Reads champion.csv, champion_path.csv, champion_hospitals.csv and champion_cpu.csv of the folder and writes
champion.md there. The text is that of champion_template.md; {NAME} stands for tables.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from champion import WEIGHED
from champion_recipes import UNDONE, WHOLE
from spread import with_spread

from skad.evaluation import over_seeds

TEMPLATE = Path(__file__).with_name("champion_template.md")
SCORES = ("AUC", "AP", "Dice")
SIZES = ("AP 1-3 px", "AP 4-11 px", "AP 12-27 px", "AP 28 px or more")
JUDGED = ("glioma", "ms", "stroke")
LABELS = {
    "mixture": "mixture alone",
    "mixture, local prevalence": "mixture alone, local prevalence",
    "network": "networks alone, cross-fitted",
}


def steps(rows, judged):
    """Scores, and average precision by size of the lesion, of every step on one cohort."""
    of_cohort = [row for row in rows if row["judged on"] == judged]
    lines = {step: [row for row in of_cohort if row["step"] == step] for step in _ordered(of_cohort, "step")}
    named = {LABELS.get(step, step): found for step, found in lines.items()}
    return "\n\n".join(_table("step", named, columns) for columns in (SCORES, SIZES))


def path(rows, whole, judged):
    """The same of the recipes as the ensemble grows, one seed: networks alone, then all steps."""
    seeds = {row["seed"] for row in rows}
    found = [row for row in rows + whole if row["judged on"] == judged and row["seed"] in seeds]
    tables = []
    for step, title, columns in (
        ("network", "networks alone", SCORES),
        (WEIGHED, "all steps", SCORES),
        (WEIGHED, "all steps", SIZES),
    ):
        lines = {
            f"{'+ ' * bool(number)}{recipe}": [
                row for row in found if row["recipe"] == recipe and row["step"] == step
            ]
            for number, recipe in enumerate(UNDONE)
        }
        lines = {name: of_recipe for name, of_recipe in lines.items() if of_recipe}
        tables.append(_table(title, lines, columns))
    return "\n\n".join(tables)


def hospitals(rows):
    """What is found in hospitals that were left out of the training."""
    columns = (*SCORES, "false positives, known hospitals", "false positives, new hospitals")
    chosen = {"mixture, local prevalence": "mixture", WEIGHED: "ensemble"}
    lines = {}
    for step, name in chosen.items():
        of_step = [row for row in rows if row["step"] == step]
        for row in sorted(of_step, key=lambda row: row["left out"]):
            lines[f"{row['left out']}: {name}"] = [row]
        lines[f"mean: {name}"] = [
            {column: np.mean([float(row[column]) for row in of_step]) for column in columns}
        ]
    return _table("left out", lines, columns)


def false_positives(rows):
    """Share of normal pixels above the threshold, on hospitals that were trained on and on others."""
    columns = [f"false positives, {name} hospitals" for name in ("known", "new")]
    lines = {
        judged: [row for row in rows if row["judged on"] == judged and row["step"] == WEIGHED]
        for judged in _ordered(rows, "judged on")
    }
    return _table("judged on", lines, columns)


def costs(rows):
    """Epochs, time and memory of every training and scoring."""
    names = ("epochs", "training (s)", "training (CPU s)", "scoring (s per slice)", "memory (GB)")
    lines = [["device", "trained on, judged on", *names, "AP"], ["---"] * (3 + len(names))]
    for device, cohort, judged in dict.fromkeys(_run(row) for row in rows):
        alike = [row for row in rows if _run(row) == (device, cohort, judged)]
        means = [np.mean([float(row[name]) for row in alike]) for name in names]
        at_the_end = _over_seeds([row for row in alike if row["step"] == WEIGHED], "AP")
        lines.append([device, f"{cohort}, {judged}", *map(_three_digits, means), at_the_end])
    return _markdown(lines)


def _run(row):
    return row["device"], row["cohort"], row["judged on"]


def _three_digits(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ordered(rows, column):
    return list(dict.fromkeys(row[column] for row in rows))


def _table(title, lines, columns):
    """A line for each name; every cell is over the seeds of its rows."""
    cells = [[title, *columns], ["---"] * (1 + len(columns))]
    for name, rows in lines.items():
        cells.append([name, *(_over_seeds(rows, column) for column in columns)])
    return _markdown(cells)


def _over_seeds(rows, column):
    mean, deviation = over_seeds([float(row[column]) for row in rows])
    return "-" if np.isnan(mean) else with_spread(mean, deviation)


def _markdown(lines):
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def main():
    """Parse the command line and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="of the tables of champion.py, and for the page")
    parser.add_argument("--machine", default="", help="what the rows were measured on")
    arguments = parser.parse_args()
    names = ("", "_path", "_hospitals", "_cpu")
    whole, growing, left_out, cpu = (_rows(arguments.folder / f"champion{name}.csv") for name in names)
    whole = [row for row in whole if row["recipe"] == WHOLE]
    text = TEMPLATE.read_text(encoding="utf-8").format(
        machine=arguments.machine,
        hospitals=hospitals(left_out),
        false_positives=false_positives(whole),
        costs=costs(whole + cpu),
        **{name: steps(whole, name) for name in JUDGED},
        **{f"{name}_path": path(growing, whole, name) for name in JUDGED},
    )
    (arguments.folder / "champion.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
