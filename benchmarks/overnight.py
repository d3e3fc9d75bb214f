"""A night's work in small: many patients scored by two processes, killed in the middle and resumed.

    python benchmarks/overnight.py --subjects 1000 --out docs/results/overnight.csv
    python benchmarks/overnight.py --subjects 200 --out docs/results/overnight_200.csv

The patients are links to the scans of one simulated patient. The command and its processes are killed when
a third of the maps is there; it is then resumed. Writes how many maps each run found and made, its time, the
memory of the command's processes in each third of a run, and what its log (``--log``) says: how many maps it
reports, how many seconds it says are left, and how many were. It is asked at its last line before the kill,
for which the truth is the time from the first to the last line of the resumed run, and at the middle line of
the resumed run.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from skad.datasets import make_phantom
from skad.io import write_map
from skad.utils.tables import write_table

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
    "logged_maps",
    "said_left_s",
    "was_left_s",
)
TIME = "%Y-%m-%d %H:%M:%S,%f"
LINE = re.compile(r"^(\S+ \S+) score \d+/\d+: .* \((?:about )?(.*) (?:left|in all)\)$", re.MULTILINE)
SECONDS = {"h": 3600, "min": 60, "s": 1}


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


def run(name, command, out, *, kill_at=None):
    """Run a command in a session of its own, without a terminal; kill it when so many maps are there."""
    before, begin, memory = count(out), time.monotonic(), []
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
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


def read_log(path):
    """When the log begins; when each line about a map was written, and the seconds that it says are left."""
    text = path.read_text(encoding="utf-8")
    lines = [(datetime.strptime(when, TIME), as_seconds(left)) for when, left in LINE.findall(text)]
    return datetime.strptime(" ".join(text.split()[:2]), TIME), lines


def as_seconds(text):
    """``"1 min 15 s"`` as 75."""
    words = text.split()
    return sum(int(n) * SECONDS[unit] for n, unit in zip(words[::2], words[1::2], strict=True))


def add_log(killed, resumed, killed_log, resumed_log):
    """What the logs of both runs say is left, and what was."""
    (_, before), (begin, after) = read_log(killed_log), read_log(resumed_log)
    end, middle = after[-1][0], after[len(after) // 2]
    for run, lines, (since, said) in (
        (killed, before, (begin, before[-1][1])),
        (resumed, after, middle),
    ):
        was_left = f"{(end - since).total_seconds():.0f}"
        run |= {"logged_maps": len(lines), "said_left_s": said, "was_left_s": was_left}
    return killed, resumed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=1000)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--out", type=Path, default=Path("docs/results/overnight.csv"))
    parser.add_argument("--keep-logs", type=Path, help="folder for the logs of both runs")
    arguments = parser.parse_args()
    skad = [sys.executable, "-m", "skad"]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_patients(folder, arguments.subjects)
        (folder / "few").mkdir()
        (folder / "few/sub-0000").symlink_to(folder / "many/sub-0000")
        model, out, logs = folder / "adm.skad", folder / "maps", arguments.keep_logs or folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        subprocess.run([*skad, "fit", folder / "few", "--out", model, "--quiet", *FIT], check=True)
        command = [*skad, "score", model, folder / "many", "--out", out, "--jobs", arguments.jobs]
        command += ["--no-figures", "--no-report", "--log"]
        first, second = logs / "killed.log", logs / "resumed.log"
        for log in (first, second):
            log.unlink(missing_ok=True)  # the commands append
        killed = run("killed", [*command, first], out, kill_at=arguments.subjects // 3)
        resumed = run("resumed", [*command, second, "--resume"], out)
        write_table(add_log(killed, resumed, first, second), arguments.out, COLUMNS)


if __name__ == "__main__":
    main()
