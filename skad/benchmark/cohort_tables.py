"""The tables of a cohort beside its folds: references, searches, drift and costs."""

from typing import Any

import numpy as np
from scipy.stats import spearmanr

from skad.benchmark.summary import Summary
from skad.benchmark.table import Table, of_seeds

COSTS = {
    "training, minutes": "minutes",
    "seconds per volume": "seconds_per_volume",
    "peak GB": "gigabytes",
    "parameters": "parameters",
}


def fidelity_tables(summary: Summary) -> list[Table]:
    """Anatomical fidelity of the references (K, II-D); no table where the study does not measure it."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in summary.all_rows("fidelity"):
        found.setdefault((row["fold"], row["method"]), []).append(row)
    rows = [
        [fold, name, str(len(each)), *(of_seeds([r[key] for r in each]) for key in ("quality", "overlap"))]
        for (fold, name), each in found.items()
    ]
    head = ["fold", "reference", "seeds", "quality score, nats per slice", "overlap score"]
    title = "Anatomical fidelity of the references, mean over slices"
    return [Table(f"{summary.cohort}_fidelity", title, head, rows)] if rows else []


def selection_tables(summary: Summary) -> list[Table]:
    """How scores on planted lesions rank the methods: rank correlation with labels, and regret."""
    planted: dict[str, dict[str, list[float]]] = {}
    for row in summary.all_rows("planted"):
        planted.setdefault(row["family"], {}).setdefault(row["method"], []).append(row["score"])
    rows = []
    for fold in summary.folds if planted else ():
        labeled = _average_precisions(summary, fold)
        for family, scores in planted.items():
            methods = [method for method in labeled if method in scores]
            if len(methods) > 2:
                free = np.array([np.mean(scores[method]) for method in methods])
                judged = np.array([labeled[method] for method in methods])
                best, chosen = judged.max(), judged[free.argmax()]
                cells = (spearmanr(free, judged).statistic, best, chosen, best - chosen, np.median(judged))
                rows.append([fold, family, *(f"{cell:.3f}" for cell in cells)])
    head = ["fold", "planted", "Spearman", "best AP", "AP of the choice", "regret", "median AP"]
    title = "Choosing a method on planted lesions"
    return [Table(f"{summary.cohort}_selection", title, head, rows)] if rows else []


def _average_precisions(summary, fold):
    """Of the methods that have one, mean over their seeds."""
    found = {}
    for method in summary.methods:
        rows = [row for row in summary.rows("pooled", method, fold) if row["label"] == "any"]
        value = np.mean([row["average_precision"] for row in rows]) if rows else np.nan
        if not np.isnan(value):
            found[method] = value
    return found


def tuning_tables(summary: Summary) -> list[Table]:
    """What was tried, by the score it was chosen on."""
    rows = [
        [r["method"], str(r["configuration"]), f"{r['score']:.3f}", "chosen" * r["chosen"], r["status"]]
        for r in summary.all_rows("tuning")
    ]
    tuning = summary.study.tuning
    title = f"Search: {tuning.tries} configurations of every method, by {tuning.on}" if tuning else ""
    head = ["method", "configuration", "score", "", "status"]
    return [Table(f"{summary.cohort}_tuning", title, head, rows)] if rows and tuning else []


def drift_tables(summary: Summary) -> list[Table]:
    """How often new patients of a fold are told from those who calibrate."""
    found: dict[tuple[str, str, int], dict[int, list[float]]] = {}
    for row in summary.all_rows("drift"):
        of_method = found.setdefault((row["fold"], row["method"], row["patients"]), {})
        of_method.setdefault(row["new"], []).append(row["alarms"])
    sizes = sorted({n_new for each in found.values() for n_new in each})
    rows = [
        [fold, method, str(n_patients), *(f"{np.mean(each[n_new]):.3f}" for n_new in sizes)]
        for (fold, method, n_patients), each in found.items()
    ]
    head = ["fold", "method", "patients", *(f"{n_new} new" for n_new in sizes)]
    title = "Share of random splits in which drift is detected, level 0.05"
    return [Table(f"{summary.cohort}_drift", title, head, rows)] if rows else []


def cost_table(summary: Summary) -> Table:
    """What a method cost, with the references that it uses."""
    rows = []
    for method in summary.methods:
        costs = summary.all_rows("costs", method)
        if costs:
            minutes, seconds, memory, parameters = (
                np.mean([row[key] for row in costs]) for key in COSTS.values()
            )
            partly = "≥ " if any(row["resumed"] for row in costs) else ""
            rows.append(
                [method, f"{partly}{minutes:.2f}", f"{seconds:.2f}", f"{memory:.2f}", f"{parameters:,.0f}"]
            )
    title = 'Costs, mean over the seeds ("≥": resumed, only the last part is counted)'
    return Table(f"{summary.cohort}_costs", title, ["method", *COSTS], rows)
