"""The page docs/results/speed.md from the rows of benchmarks/speed.py."""

import csv
import textwrap
from pathlib import Path

TEXT = """# Speed

CPU time and memory of skad, of an earlier version of skad ("skad before") and of other packages for
the same task. Written by `python benchmarks/speed.py`; the rows are in `docs/results/speed.csv`.
Every process uses one thread; every figure is the median over processes that ran in turn, whose
number is in the last column.

{versions}

- The cubic rows resample four contrasts of 182 x 218 x 182 voxels. skad also finds the foreground,
  extends it into the background, smooths against aliasing and normalizes intensities; the other
  packages resample only. skad has no linear mode for images.
- "torch loop" trains the same network with the same loss and optimizer without an estimator; "from
  the equations" is a loop with separate passes for each term of the published objective.
- "Convolutions of as many operations" are 3 x 3 convolutions of 64 channels, the fastest that a
  network could be: their ratio is the share of the core's peak that a training reaches, with
  planting, loss, normalization and optimizer. The threshold scores 256 slices and their mirror
  images; the target of 1 s is below what its convolutions take at that peak.
- "First training of a process" is nearly all the import of torch's compiler, which `Optimizer.step`
  does itself; nothing short of replacing that method avoids it.
- With `--jobs 2` each worker takes about three seconds of CPU to start, after the command itself,
  which starts as long: two jobs pay with the number of scans. The target of 1.6 times as fast is
  missed with twelve scans of 1.4 s. Workers that import while the command does were tried; joblib
  then takes the memory they keep for a leak and replaces them, which costs more than it saves.
- "A further subject" is a tenth of the difference between twelve patients and two (121 x 145 x 40
  voxels, three contrasts, a small ADM); its memory column is the size it adds to `report.html`, MB.

{tables}

## Maps before and after

What steps towards speed changed in the maps, measured with the commit and with its parent: trained
and scored alike, the largest difference in standard deviations of the map (`python
benchmarks/same_maps.py`). The resampling of the foreground's box rounds differently; two epochs of
training amplify that for ADM. Cheaper planting draws the same lesions, summed in another order.

```{{csv-table}}
:file: same_maps.csv
:header-rows: 1
```
"""


def write_page(rows, out):
    """Write the page from the CSV."""
    with open(rows, newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    (first,) = [row for row in found if row["question"] == "versions"]
    rows = [row for row in found if row is not first]
    questions = dict.fromkeys(row["question"] for row in rows)
    tables = "\n\n".join(_table(name, [row for row in rows if row["question"] == name]) for name in questions)
    Path(out).write_text(
        TEXT.format(versions=textwrap.fill(f"Versions: {first['who']}.", 100), tables=tables),
        encoding="utf-8",
    )


def _table(question, rows):
    own = next((float(row["cpu_s"]) for row in rows if row["who"] == "skad"), None)
    lines = [
        f"## `{question}`" if "skad" in question else f"## {question[0].upper()}{question[1:]}",
        "",
        "| | CPU s | times skad | MB | wall s | runs |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{float(row['cpu_s']) / own:.2f}" if own else ""
        cells = [row["who"], row["cpu_s"], ratio, row["memory_mb"], row["wall_s"], row["runs"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
