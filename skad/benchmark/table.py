"""A table of a page, and how its cells are written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skad.evaluation import confidence_interval, over_seeds, over_subjects


@dataclass(frozen=True)
class Table:
    """A table of a page.

    Attributes
    ----------
    name : str
        Of its CSV file.
    title : str
    head : list of str
        At most seven columns.
    rows : list of list of str
    """

    name: str
    title: str
    head: list[str]
    rows: list[list[str]]

    def has_numbers(self) -> bool:
        """Whether any cell beside the first two says something."""
        return any(cell != "-" for row in self.rows for cell in row[2:])

    def markdown(self) -> list[str]:
        """Lines."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return [f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""]


def of_seeds(values: Sequence[float]) -> str:
    """Mean ± deviation over the seeds; "-" where there is none."""
    mean, sd = over_seeds(values)
    if np.isnan(mean):
        return "-"
    return f"{mean:.3f}" + ("" if np.isnan(sd) else f" ± {sd:.3f}")


def means_of_seeds(scans: Iterable[Mapping[str, Any]], key: str) -> list[float]:
    """Mean over the subjects for each seed."""
    scans = list(scans)
    seeds = dict.fromkeys(row["seed"] for row in scans)
    return [over_subjects([row for row in scans if row["seed"] == seed], key)[0] for seed in seeds]


def interval(values: Sequence[float]) -> str:
    """Mean with its 95 % bootstrap interval."""
    if not values:
        return "-"
    low, high = confidence_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def volume_range(row: Mapping[str, Any]) -> str:
    """A range of lesion volumes, mL."""
    low, high = row["smallest_mm3"] / 1000, row["below_mm3"] / 1000
    if not low:
        return f"below {high:g}"
    return f"from {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
