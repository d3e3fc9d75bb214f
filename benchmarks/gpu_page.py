"""The page docs/results/gpu.md from the rows of benchmarks/gpu.py."""

import csv
from pathlib import Path

from gpu_results import read_results

TITLES = {
    "machine": "The machine",
    "equality": "Maps of the GPU and of the CPU",
    "kobayashi": "IntroVAE at 256 x 256",
    "patches": "Patch embeddings of every pixel",
    "search": "Latent search",
    "adm": "ADM",
    "champion": "Planted lesions",
    "volume": "A scan at 1 mm",
    "compile": "torch.compile",
    "tests": "Tests",
}
TEXT = """# GPU

This page shows how fast skad trains and scores on a GPU, and how much its maps differ from those of
a CPU. It is written by

```console
$ python benchmarks/gpu.py --out docs/results/gpu.csv
$ python benchmarks/gpu.py --page docs/results/gpu.csv --out docs/results/gpu.md
```

All images are simulated (`make_phantom`). "Share of peak" is the rate times the floating-point
operations of the convolutions and matrix products, divided by the rate of a large bf16 matrix
product on the same device. Differences of maps are in standard deviations of the CPU's float32 map
over its foreground; "tf32" is PyTorch's default for convolutions in float32. The networks of the
comparison with the CPU and of the scan at 1 mm are trained for one epoch only. IntroVAE was
measured before the autoencoders' convolutions had the layout channels_last, and the latent search
on an H100.

{bound}{tables}
"""
BOUND = """Patch embeddings could reach at most {share} of the peak without fused kernels (`python
benchmarks/gpu_bound.py`): the operations of a pair take {computing} ms at the rate of the convolution
below, and its other kernels (batch norm, maxima, sums) move {traffic} GB, which takes {moving} ms at
the rate of a copy. The target of 0.4 would need compiled kernels.

"""


def write_page(results, out):
    """Write a table per part, in the order of the file."""
    rows = read_results(results)
    parts = [name for name in TITLES if any(row["part"] == name for row in rows)]
    tables = "\n\n".join(_table(name, [row for row in rows if row["part"] == name]) for name in parts)
    bound = _bound(Path(results).with_name("gpu_bound.csv"))
    Path(out).write_text(TEXT.format(bound=bound, tables=tables), encoding="utf-8")


def _bound(path):
    if not path.exists():
        return ""
    with open(path, newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    names = {
        "share": "share of peak at most",
        "computing": "convolutions, ms",
        "traffic": "traffic of other kernels, GB",
        "moving": "other kernels, ms",
    }
    return BOUND.format(**{name: row[column] for name, column in names.items()})


def _table(name, rows):
    lines = [f"## {TITLES[name]}", "", "| | value | unit | |", "|---|---|---|---|"]
    lines += [f"| {row['measure']} | {row['value']} | {row['unit']} | {row['note']} |" for row in rows]
    return "\n".join(lines)
