"""The page docs/results/large.md from the rows of out_of_core.py and overnight.py.

python benchmarks/large_page.py
"""

import csv
from pathlib import Path

RESULTS = Path("docs/results")
TEXT = """# Data larger than memory, and long runs

## Training and scoring from a memory map

`python benchmarks/out_of_core.py` trains `ContrastTranslator` for an epoch and scores from a file
of slices (64 x 64 pixels, three contrasts). After its imports the process may allocate 48 MB more
(`RLIMIT_DATA`), less than the size of the file. "Training" and "scoring" are the additional memory
that is not backed by a file, MB.

{out_of_core}

## A thousand patients, killed and resumed

`python benchmarks/overnight.py` scores small simulated patients with `skad score --jobs 2`, kills
the command and its processes when a third of the maps is written, and continues with `--resume`.
Memory is that of all processes together, MB, the maximum of the first and of the last third of a
run; the first run includes the start of the workers. Other processes ran on the machine, so the
rate is a lower bound.

{overnight}
"""


def table(path, titles):
    """The columns of a CSV file under other titles."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [f"| {' | '.join(titles.values())} |", "|---" * len(titles) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row[name] for name in titles)} |" for row in rows)])


def main():
    out_of_core = {
        "file_mb": "file, MB",
        "slices": "slices",
        "training_mb": "training",
        "scoring_mb": "scoring",
        "epoch_cpu_s": "epoch, CPU s",
    }
    overnight = {
        "run": "run",
        "maps_before": "maps before",
        "maps_after": "maps after",
        "seconds": "s",
        "maps_per_minute": "maps per minute",
        "mb_first_third": "first third",
        "mb_last_third": "last third",
    }
    tables = {
        "out_of_core": table(RESULTS / "out_of_core.csv", out_of_core),
        "overnight": table(RESULTS / "overnight.csv", overnight),
    }
    (RESULTS / "large.md").write_text(TEXT.format(**tables), encoding="utf-8")


if __name__ == "__main__":
    main()
