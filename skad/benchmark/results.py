"""What a run leaves behind: rows in CSV files, of which all tables and figures are made."""

import csv

from skad.evaluation.scan import ANY
from skad.utils.files import written_whole

TABLES = ("scans", "pooled", "lesion_sizes", "lesion_volumes", "froc", "curves", "runs")
"""What two studies with the same seeds share to the last digit."""
OPTIONAL = ("classwise", "roc", "planted", "fidelity", "tuning", "calibration", "drift")
"""Tables of the studies that ask for them."""
COSTS = "costs"


def fold_rows(fold, found):
    """Rows of one fold's evaluation, by table; a class that is the only one has no rows beside "any".

    Parameters
    ----------
    fold : str
    found : Evaluation

    Returns
    -------
    dict of str to list of dict
    """
    alone = len(found.pooled) < 3  # the only class is any abnormality
    scans, pooled = (
        [row for row in rows if not alone or row["label"] == ANY] for rows in (found.rows, found.pooled)
    )
    tables = {
        "scans": scans,
        "pooled": [{"label": row["label"], "threshold": found.threshold, **row} for row in pooled],
        "lesion_sizes": found.lesion_sizes,
        "lesion_volumes": found.lesions_by_volume(),
        "froc": found.froc,
    }
    return {name: [{"fold": fold, **row} for row in rows] for name, rows in tables.items()}


def curve_rows(histories):
    """Rows of the losses of every epoch, from ``{step: {loss: curve}}``."""
    return [
        {"step": step, "loss": name, "epoch": epoch, "value": value}
        for step, history in histories.items()
        for name, curve in history.items()
        for epoch, value in enumerate(curve, start=1)
    ]


def write_rows(rows, path):
    """Write dicts as CSV, complete or not at all; numbers keep all their digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path):
    """Dicts of a CSV; what looks like a number is one, and an empty cell is NaN."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{key: _value(key, text) for key, text in row.items()} for row in csv.DictReader(file)]


def read_results(folder):
    """All tables of a study's folder, by name."""
    paths = {name: folder / f"{name}.csv" for name in (*TABLES, COSTS, *OPTIONAL)}
    return {name: read_rows(path) if path.exists() else [] for name, path in paths.items()}


_TEXT = {
    "cohort",
    "method",
    "fold",
    "subject",
    "session",
    "label",
    "step",
    "loss",
    "status",
    "family",
    "settings",
    "unit",
}


def _value(key, text):
    if key in _TEXT:
        return text
    if not text:
        return float("nan")
    return int(text) if text.removeprefix("-").isdigit() else float(text)
