"""The tables of one fold: scores, thresholds, subjects, comparisons, lesions, classes, calibration."""

import numpy as np

from skad.benchmark.summary import Summary
from skad.benchmark.table import Table, interval, means_of_seeds, of_seeds, volume_range
from skad.evaluation import by_subject, holm, paired_comparison

RANKING = {"AUC": "roc_auc", "AP": "average_precision", "best Dice": "best_dice"}
AT_THRESHOLD = {
    "Dice": "dice",
    "lost": "lost",
    "sensitivity": "sensitivity",
    "precision": "precision",
    "specificity": "specificity",
    "calibration error": "calibration_error",
}
LESIONS = {
    "lesions found": "lesion_recall",
    "false positives per scan": "n_false_positives",
    "lesion F1": "lesion_f1",
    "lesion Dice": "lesion_dice",
    "panoptic quality": "panoptic_quality",
    "surface Dice": "surface_dice",
}
RATES = {
    "AUC": "roc_auc",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "F1": "f1",
}


def fold_tables(summary: Summary, fold: str) -> list[Table]:
    """All tables of one fold that have something to show."""
    makers = (
        score_table,
        threshold_table,
        subject_table,
        comparison_table,
        lesion_table,
        volume_table,
        class_table,
        classwise_table,
        calibration_table,
        calibrated_dice_table,
    )
    tables = [make(summary, fold) for make in makers]
    if parts := summary.apart(fold):
        for part, which in zip(parts, (summary.study.apart["title"], "the other subjects"), strict=True):
            for make in (subject_table, comparison_table):
                table = make(part, fold)
                name = f"{table.name}_{'apart' if part is parts[0] else 'rest'}"
                tables.append(Table(name, f"{table.title}: {which}", table.head, table.rows))
    return [table for table in tables if table.has_numbers()]


def score_table(summary: Summary, fold: str) -> Table:
    """Scores over all thresholds (Tables 1 and 2 of A)."""
    rows = []
    for method in summary.methods:
        cells = summary.marked(method, _pooled(summary, method, fold, RANKING))
        rows.append([method, str(len(summary.runs(method))), *cells])
    return _table(summary, fold, "scores", "Pooled pixels", ["method", "runs", *RANKING], rows)


def threshold_table(summary: Summary, fold: str) -> Table:
    """Scores at the validation's threshold, and how much Dice that choice loses."""
    rows = [
        [method, *summary.marked(method, _pooled(summary, method, fold, AT_THRESHOLD))]
        for method in summary.methods
    ]
    title = "Pooled pixels at the validation's threshold; lost: best Dice minus Dice"
    return _table(summary, fold, "threshold", title, ["method", *AT_THRESHOLD], rows)


def subject_table(summary: Summary, fold: str) -> Table:
    """Mean over the subjects with 95 % intervals; no rows for one subject."""
    rows = []
    for method in summary.methods if summary.n_subjects(fold) > 1 else ():
        found = {name: by_subject(summary.scans(method, fold), key) for name, key in RANKING.items()}
        cells = [interval(list(each.values())) for each in found.values()]
        rows.append([method, str(len(found["AUC"])), *summary.marked(method, cells)])
    return _table(summary, fold, "subjects", "Mean over subjects", ["method", "subjects", *RANKING], rows)


def comparison_table(summary: Summary, fold: str) -> Table:
    """Paired comparison of every method with one of them; no rows for one subject."""
    other = summary.compared_with
    theirs = by_subject(summary.scans(other, fold), "roc_auc")
    found = {}
    for method in summary.methods if summary.n_subjects(fold) > 1 and summary.is_number(other) else ():
        ours = by_subject(summary.scans(method, fold), "roc_auc")
        if method != other and ours and summary.is_number(method):
            found[method] = paired_comparison(ours, theirs)
    adjusted = holm([each["p"] for each in found.values()])
    rows = [
        [
            method,
            str(each["n_subjects"]),
            f"{each['difference']:+.3f} [{each['low']:+.3f}, {each['high']:+.3f}]",
            f"{each['p']:.2g}",
            f"{p:.2g}",
        ]
        for (method, each), p in zip(found.items(), adjusted, strict=True)
    ]
    title = f"AUC of subjects, minus that of {other}"
    return _table(summary, fold, "comparison", title, ["method", "subjects", "difference", "p", "Holm"], rows)


def lesion_table(summary: Summary, fold: str) -> Table:
    """What connected components at the validation's threshold are worth: mean over the scans."""
    rows = []
    for method in summary.methods:
        scans = summary.scans(method, fold)
        cells = [of_seeds(means_of_seeds(scans, key)) for key in LESIONS.values()]
        rows.append([method, *summary.marked(method, cells)])
    return _table(summary, fold, "lesions", "Lesions, mean over scans", ["method", *LESIONS], rows)


def volume_table(summary: Summary, fold: str) -> Table:
    """Share of lesions found per range of volumes."""
    rows_of = {m: summary.rows("lesion_volumes", m, fold) for m in summary.methods}
    some = next(filter(None, rows_of.values()), None) or ()
    ranges = {row["smallest_mm3"]: f"{volume_range(row)} ({row['n_lesions']})" for row in some}
    rows = []
    for method, found in rows_of.items():
        cells = [of_seeds([r["recall"] for r in found if r["smallest_mm3"] == low]) for low in ranges]
        rows.append([method, *summary.marked(method, cells)])
    title = "Share of lesions found, by volume in mL (number of lesions)"
    return _table(summary, fold, "volumes", title, ["method", *ranges.values()], rows if ranges else [])


def class_table(summary: Summary, fold: str) -> Table:
    """Pooled scores of each abnormality class against normal; no rows where there is one class."""
    labels = [label for label in summary.labels(fold) if label != "any"]
    rows = [
        [label, method, *summary.marked(method, _pooled(summary, method, fold, RANKING, label))]
        for label in (labels if len(labels) > 1 else ())
        for method in summary.methods
    ]
    return _table(summary, fold, "classes", "Pooled pixels per class", ["class", "method", *RANKING], rows)


def classwise_table(summary: Summary, fold: str) -> Table:
    """Table I of K: mean ± standard deviation over the volumes with the class, mean over the seeds."""
    rows = []
    for label in summary.labels(fold):
        for method in summary.methods:
            found = [r for r in summary.rows("classwise", method, fold) if r["label"] == label]
            if found:
                cells = [
                    f"{np.mean([r[key] for r in found]):.3f} ± {np.mean([r[f'{key}_sd'] for r in found]):.3f}"
                    for key in RATES.values()
                ]
                rows.append([label, method, *summary.marked(method, cells)])
    title = "Mean ± deviation over volumes, at Youden's J of all pixels of the class"
    return _table(summary, fold, "classwise", title, ["class", "method", *RATES], rows)


def calibration_table(summary: Summary, fold: str) -> Table:
    """False-positive rates that calibrated thresholds realize on patients they were not calibrated on."""
    rates = _calibrated_rates(summary, fold)
    rows = []
    for method, unit, n_patients, found in _calibrated(summary, fold):
        cells = [_with_band([r for r in found if r["rate"] == rate]) for rate in rates]
        rows.append([method, unit, str(n_patients), *summary.marked(method, cells)])
    head = ["method", "unit", "patients", *(f"target {rate:g}" for rate in rates)]
    title = "Realized false-positive rate, mean and range of 95 % of the random splits"
    return _table(summary, fold, "calibration", title, head, rows)


def calibrated_dice_table(summary: Summary, fold: str) -> Table:
    """Dice of masks at pixel-wise targets, beside that of the best threshold, which needs labels."""
    rates = _calibrated_rates(summary, fold)
    rows = []
    for method, unit, n_patients, found in _calibrated(summary, fold):
        if unit == "pixel":
            cells = [of_seeds([r["dice"] for r in found if r["rate"] == rate]) for rate in rates]
            best = _pooled(summary, method, fold, {"best Dice": "best_dice"})
            rows.append([method, str(n_patients), *summary.marked(method, [*cells, *best])])
    head = ["method", "patients", *(f"target {rate:g}" for rate in rates), "best Dice"]
    return _table(summary, fold, "calibrated_dice", "Dice of calibrated masks", head, rows)


def _calibrated_rates(summary, fold):
    return sorted({row["rate"] for row in summary.all_rows("calibration") if row["fold"] == fold})


def _calibrated(summary, fold):
    """Method, unit, number of patients who calibrate, and the rows of these."""
    for method in summary.methods:
        found = {}
        for row in summary.rows("calibration", method, fold):
            found.setdefault((row["unit"], row["patients"]), []).append(row)
        yield from ((method, *key, rows) for key, rows in found.items())


def _with_band(rows):
    """Mean over the seeds with the mean band; what had too few patients is told."""
    if any(np.isnan(row["realized"]) for row in rows):
        return "too few patients"
    mean, low, high = (np.mean([row[key] for row in rows]) for key in ("realized", "low", "high"))
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


def _table(summary, fold, name, title, head, rows):
    return Table(f"{summary.cohort}_{fold}_{name}", title, head, rows)


def _pooled(summary, method, fold, columns, label="any"):
    rows = [row for row in summary.rows("pooled", method, fold) if row["label"] == label]
    rows = [row | {"lost": row["best_dice"] - row.get("dice", np.nan)} for row in rows]
    return [of_seeds([row.get(key, np.nan) for row in rows]) for key in columns.values()]
