"""The page docs/results/large.md from the rows of out_of_core.py, overnight.py and large_report.py.

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

## Two hundred patients in the background, with a log

`python benchmarks/overnight.py --subjects 200` does the same with `--log`. The log gets a line per
map with the time left; it may lack the maps that were being written when the command was
killed, and `--resume` makes those again. "Left" compares, in seconds, what the log said with what
it then took: at the last line before the kill (the truth is the time from the first to the last
line of the resumed run) and at the middle line of the resumed run. The estimate divides the time
since the start by the maps made, so that it counts the start of the workers, too.

{overnight_200}

## A report of 2,000 subjects

`python benchmarks/large_report.py` writes `report.html` for 2,000 simulated patients (48 x 56 x 12
voxels, three contrasts) and opens it in headless Chromium, without a GPU and beside other
processes. With a page per patient the file grows; images are read only when their page opens, so
opening hardly takes longer. The table links patients without a page to their pictures.

{large_report}

A page takes 2 to 10 MB for a brain of 1 mm, which is why ten are the default (`--viewers`); files
beyond 80 MB were not tried.
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
    overnight_200 = {
        "run": "run",
        "maps_before": "maps before",
        "maps_after": "maps after",
        "seconds": "s",
        "logged_maps": "lines of maps",
        "said_left_s": "left, log",
        "was_left_s": "left, true",
    }
    large_report = {
        "pages": "pages",
        "mb": "file, MB",
        "write_cpu_s": "writing, CPU s",
        "table_s": "table opens, s",
        "first_page_s": "first page, s",
        "next_page_s": "next page, s",
    }
    tables = {
        "out_of_core": table(RESULTS / "out_of_core.csv", out_of_core),
        "overnight": table(RESULTS / "overnight.csv", overnight),
        "overnight_200": table(RESULTS / "overnight_200.csv", overnight_200),
        "large_report": table(RESULTS / "large_report.csv", large_report),
    }
    (RESULTS / "large.md").write_text(TEXT.format(**tables), encoding="utf-8")


if __name__ == "__main__":
    main()
