"""Whether maps stay the same from one commit to the next.

    python benchmarks/same_maps.py COMMIT ... --out docs/results/same_maps.csv

With each commit and with its parent, detectors are trained on a simulated patient and score another one: a
translator with a density, and planted lesions. A row per commit and detector: the largest difference of the
maps, in standard deviations of the parent's map. Only the public interface that all these versions have is
used. About half a minute of CPU per commit.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("commit", "subject", "detector", "byte-identical", "largest difference")


def write_maps(out):
    """Write the maps of the version that is imported."""
    from sklearn.pipeline import make_pipeline

    from skad import VolumeAnomalyDetector
    from skad.datasets import make_phantom
    from skad.preprocessing import VolumePreprocessor
    from skad.reconstruction import ContrastTranslator
    from skad.scoring import JointDRGMM, SyntheticAnomalyScorer

    normal, *_ = make_phantom(1, shape=(49, 58, 12), lesion=None, random_state=0)
    scan, *_ = make_phantom(1, shape=(49, 58, 12), random_state=1)
    common = {"max_epochs": 2, "random_state": 0, "device": "cpu"}
    pipelines = {
        "ADM": make_pipeline(
            ContrastTranslator(width=4, n_blocks=1, **common), JointDRGMM(width=4, n_components=2, **common)
        ),
        "planted lesions": SyntheticAnomalyScorer(width=4, depth=2, **common),
    }
    for name, pipeline in pipelines.items():
        prepare = VolumePreprocessor(voxel_size=4.5, size=(48, 48))
        detector = VolumeAnomalyDetector(pipeline, preprocessor=prepare).fit([normal])
        np.save(f"{out}/{name}.npy", np.asarray(detector.score_volume(scan).dataobj))


def maps_of(commit, folder):
    """Name to map of a detector, with a commit."""
    version = Path(folder) / commit.replace("^", "-parent")
    subprocess.run(["git", "worktree", "add", "-q", "--detach", version, commit], cwd=ROOT, check=True)
    try:
        environment = os.environ | {"PYTHONPATH": str(version), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--write", folder]
        subprocess.run(command, cwd=version, env=environment, check=True, capture_output=True)
        return {path.stem: np.load(path) for path in Path(folder).glob("*.npy")}
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", version], cwd=ROOT, check=True)


def rows_of(commit):
    """What a commit changed in the maps."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = (maps_of(each, folder) for each in (f"{commit}^", commit))
    subject = subprocess.run(
        ["git", "log", "-1", "--format=%s", commit], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    for name, old in before.items():
        new = after[name]
        if not np.array_equal(np.isnan(old), np.isnan(new)):
            raise RuntimeError(f"{commit} changes the foreground of {name}.")
        largest = np.nanmax(np.abs(new - old)) / np.nanstd(old)
        same = "yes" if new.tobytes() == old.tobytes() else "no"
        yield dict(zip(COLUMNS, (commit, subject, name, same, f"{largest:.2g}"), strict=True))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commits", nargs="*", metavar="COMMIT")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--write", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write:
        write_maps(arguments.write)
        return
    with open(arguments.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for commit in arguments.commits:
            for row in rows_of(commit):
                writer.writerow(row)
                print(row, flush=True)


if __name__ == "__main__":
    main()
