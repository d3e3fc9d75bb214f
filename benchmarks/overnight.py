"""A night's work in small: many patients scored by two processes, killed in the middle and resumed.

    python benchmarks/overnight.py --subjects 1000 --out docs/results/overnight.csv

The patients are links to the scans of one simulated patient. The command and its processes are killed when
a third of the maps is there; it is then resumed. Writes how many maps each run found and made, its time, and
the memory of the command's processes in each third of a run.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from skad.datasets import make_phantom
from skad.io import write_map

FIT = (
    "--method adm --epochs 1 --contrasts T1w FLAIR --set reference__width=2 reference__n_blocks=0 "
    "score__width=2 score__n_components=2 preprocessor__size=(32,32)"
).split()
COLUMNS = (
    "run",
    "maps_before",
    "maps_after",
    "seconds",
    "maps_per_minute",
    "mb_first_third",
    "mb_last_third",
)


def write_patients(folder, n_subjects):
    """One simulated patient and links to it."""
    (volume,) = make_phantom(1, shape=(28, 32, 8), contrasts=("T1w", "FLAIR"), random_state=0)
    original = folder / "original"
    paths = [
        write_map(image, volume, original / f"{name}.nii.gz") for name, image in volume.contrasts.items()
    ]
    for number in range(n_subjects):
        anat = folder / "many" / f"sub-{number:04d}" / "anat"
        anat.mkdir(parents=True)
        for path in paths:
            (anat / f"{anat.parent.name}_{path.name}").symlink_to(path)


def memory_mb(session):
    """Resident memory of all processes of a session; Linux."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue  # it has ended meanwhile
    return total / 2**20


def count(folder):
    """Maps that are complete."""
    return sum(1 for _ in folder.glob("sub-*/anat/*_map.nii.gz"))


def run(name, command, out, log, *, kill_at=None):
    """Run a command in a session of its own, and perhaps kill it when so many maps are there."""
    before, begin, memory = count(out), time.monotonic(), []
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    while process.poll() is None:
        memory.append(memory_mb(process.pid))
        if kill_at is not None and count(out) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.5)
    seconds, after = time.monotonic() - begin, count(out)
    third = max(len(memory) // 3, 1)
    return {
        "run": name,
        "maps_before": before,
        "maps_after": after,
        "seconds": f"{seconds:.0f}",
        "maps_per_minute": f"{60 * (after - before) / seconds:.0f}",
        "mb_first_third": f"{max(memory[:third]):.0f}",
        "mb_last_third": f"{max(memory[-third:]):.0f}",
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--out", type=Path, default=Path("docs/results/overnight.csv"))
    parser.add_argument("--log", type=Path, help="what the command says")
    arguments = parser.parse_args()
    skad = [sys.executable, "-m", "skad"]
    with tempfile.TemporaryDirectory() as folder, open(arguments.log or os.devnull, "w") as log:
        folder = Path(folder)
        write_patients(folder, arguments.subjects)
        (folder / "few").mkdir()
        (folder / "few/sub-0000").symlink_to(folder / "many/sub-0000")
        model, out = folder / "adm.skad", folder / "maps"
        subprocess.run(
            [*skad, "fit", folder / "few", "--out", model, *FIT], check=True, stdout=log, stderr=log
        )
        command = [*skad, "score", model, folder / "many", "--out", out, "--jobs", arguments.jobs]
        command += ["--no-figures", "--no-report"]
        with open(arguments.out, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            killed = run("killed", command, out, log, kill_at=arguments.subjects // 3)
            for row in (killed, run("resumed", [*command, "--resume"], out, log)):
                print(*row.values(), flush=True)
                writer.writerow(row)
                file.flush()


if __name__ == "__main__":
    main()
