"""Memory of training and scoring from a memory map that does not fit.   python benchmarks/out_of_core.py

Each row is a process that may allocate ALLOWANCE MB (RLIMIT_DATA) beyond what it has after its imports and
after a training on a few slices; the file has 2, 3 and 4 times as much. Linux.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from skad.reconstruction import ContrastTranslator
from skad.scoring import ResidualScorer
from skad.utils.tables import read_table, write_table

ALLOWANCE, SIDE, N_CONTRASTS, BATCH = 48, 64, 3, 8  # MB, pixels, contrasts, slices
COLUMNS = ("file_mb", "slices", "training_mb", "scoring_mb", "epoch_cpu_s")


def write_slices(path, megabytes):
    """A memory map of noisy slices; written block by block."""
    slice_bytes = N_CONTRASTS * SIDE * SIDE * 4
    n = megabytes * 2**20 // slice_bytes
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, N_CONTRASTS, SIDE, SIDE))
    rng = np.random.default_rng(0)
    for start in range(0, n, 256):
        X[start : start + 256] = rng.normal(size=(min(256, n - start), 1, SIDE, SIDE))
    X.flush()


def allocated_mb(field="VmData"):
    """Memory of this process that is no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def train_and_score(path):
    """What training and scoring add, under the limit."""
    X = np.load(path, mmap_mode="r")
    translator = ContrastTranslator(
        width=2, n_blocks=0, batch_size=BATCH, max_epochs=1, random_state=0, device="cpu"
    )
    scorer = ResidualScorer().fit(translator.fit(X[:16]).transform(X[:16]))
    scorer.score_samples(translator.transform(X[:16]))
    before = allocated_mb("RssAnon")
    limit = int((allocated_mb() + ALLOWANCE) * 2**20)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    begin = resource.getrusage(resource.RUSAGE_SELF)
    translator.fit(X)
    end = resource.getrusage(resource.RUSAGE_SELF)
    trained = allocated_mb("RssAnon")
    scores = scorer.score_samples(translator.transform(X))
    del scores
    print(
        json.dumps(
            {
                "file_mb": path.stat().st_size // 2**20,
                "slices": len(X),
                "training_mb": round(trained - before, 1),
                "scoring_mb": round(allocated_mb("RssAnon") - before, 1),
                "epoch_cpu_s": round(end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime, 1),
            }
        )
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/results/out_of_core.csv"))
    parser.add_argument(
        "--times", type=int, nargs="+", default=[2, 3, 4], help="sizes; rows of others are kept"
    )
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        train_and_score(arguments.child)
        return
    rows = {int(row["file_mb"]): row for row in read_table(arguments.out)} if arguments.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for times in arguments.times:
            path = Path(folder, "slices.npy")
            write_slices(path, times * ALLOWANCE)
            run = [sys.executable, __file__, "--child", str(path)]
            row = json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
            print(*row.values(), flush=True)
            rows[row["file_mb"]] = row
            write_table([rows[size] for size in sorted(rows)], arguments.out, columns=COLUMNS)


if __name__ == "__main__":
    main()
