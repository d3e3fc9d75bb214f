"""One patient straight from the scanner, from raw scans to a report in two commands.

    python benchmarks/clinical.py --data ../shared/data/clinical --out docs/results/clinical.csv

Runs ``skad prepare`` and ``skad quick`` on a folder with one patient, skull on, and writes what they cost and
what they made. On T1w the fat of the scalp is several times as bright as the brain: T1w at the highest score
tells whether that lies in the scalp. The scalp is looked for 5 to 15 mm outside of the brain mask.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt

from skad.datasets import load_bids
from skad.derivatives import Derivative
from skad.preparation import CoRegister
from skad.utils.tables import write_table

CONTRASTS = ("FLAIR", "T1w", "T2w", "ce-gadolinium_T1w")
SHELL_MM = (5, 15)


def run(command, *arguments):
    """Wall-clock and CPU time of a command of skad, with its processes."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "skad", command, *map(str, arguments)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        f"skad {command}, s": f"{time.monotonic() - begin:.0f}",
        f"skad {command}, CPU s": f"{cpu:.0f}",
    }


def describe(data, prepared, maps):
    """The brain mask, and what lies at the highest score."""
    (aligned,) = CoRegister("FLAIR").fit_transform(load_bids(data, contrasts=CONTRASTS))  # skull on
    (brain,) = load_bids(prepared, contrasts=CONTRASTS)
    (record,) = Derivative(maps)
    (log,) = prepared.glob("sub-*/anat/*_desc-preparation.json")
    mask, t1w = brain.mask, aligned.contrasts["T1w"]
    inside, outside = (distance_transform_edt(part, sampling=brain.voxel_size) for part in (mask, ~mask))
    shell = (outside > SHELL_MM[0]) & (outside < SHELL_MM[1]) & np.isfinite(t1w)
    peak = np.unravel_index(np.nanargmax(record.anomaly), record.shape)
    tissue, scalp = np.nanmedian(t1w[mask]), np.percentile(t1w[shell], 95)
    return {
        "brain mask, mL": f"{mask.sum() * np.prod(brain.voxel_size) / 1000:.0f}",
        "warnings about the mask": len(json.loads(log.read_text())["Warnings"]),
        "depth of the highest score inside the mask, mm": f"{inside[peak]:.1f}",
        "T1w at the highest score, median of the brain is 1": f"{t1w[peak] / tissue:.2f}",
        "T1w of the scalp (95th percentile), median of the brain is 1": f"{scalp / tissue:.2f}",
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("docs/results/clinical.csv"))
    parser.add_argument("--keep", type=Path, help="folder for the prepared scans, maps and report")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        prepared, maps = folder / "prepared", folder / "maps"
        row = run("prepare", arguments.data, "--out", prepared) | run("quick", prepared, "--out", maps)
        row |= describe(arguments.data, prepared, maps)
    write_table([{"measure": name, "value": value} for name, value in row.items()], arguments.out)


if __name__ == "__main__":
    main()
