"""Rows of measurements that are in the file as soon as they are known."""

import csv
from pathlib import Path

COLUMNS = ("part", "measure", "value", "unit", "note")


class Results:
    """A CSV file that grows by one row per result, also from other processes.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self.path = Path(path)

    def start(self):
        """Begin a new file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write("w", COLUMNS)

    def add(self, part, measure, value="", unit="", note=""):
        """Append a row and print it."""
        value = f"{value:.5g}" if isinstance(value, float) else value
        self._write("a", (part, measure, value, unit, note))
        print(f"  {part:<10} {measure}: {value} {unit}  {note}".rstrip(), flush=True)

    def _write(self, mode, row):
        with open(self.path, mode, newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(row)


def read_results(path):
    """The rows of a file, dicts."""
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
