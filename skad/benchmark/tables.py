"""The tables of a study as Markdown, made from its CSV files and nothing else."""

import numpy as np

from skad.benchmark.results import read_results
from skad.benchmark.statistics import by_patient, confidence_interval, paired_comparison
from skad.utils.files import written_whole

SCORES = {
    "AUC": "roc_auc",
    "AP": "average_precision",
    "best Dice": "best_dice",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
}
COSTS = {
    "training, minutes": "minutes",
    "seconds per volume": "seconds_per_volume",
    "peak GB": "gigabytes",
    "parameters": "parameters",
}
PATIENT_SCORES = {"AUC": "roc_auc", "AP": "average_precision", "best Dice": "best_dice"}
_NOTES = """\
Mean ± standard deviation over the seeds, over all foreground pixels of a fold. Precision, recall and F1 are
those of the threshold with the best F1 on the validation fold. Minutes of training are those of the method
and of the references it uses ("≥": interrupted and resumed, only the last part is counted); peak memory is
that of its process. A run that collapsed or stopped is no number: a mean leaves it out and says so."""


def write_tables(study, folder):
    """Write ``tables.md`` from the CSV files in a study's folder; returns its path."""
    path = folder / "tables.md"
    with written_whole(path) as temporary:
        temporary.write_text(make_tables(study, read_results(folder)), encoding="utf-8")
    return path


def make_tables(study, results):
    """All tables of a study.

    Parameters
    ----------
    study : Study
    results : dict of str to list of dict
        As of :func:`skad.benchmark.results.read_results`.

    Returns
    -------
    str
        Markdown.
    """
    results = {name: list(rows) for name, rows in results.items()}
    lines = [f"# {study.title}", "", _NOTES, ""]
    for cohort in dict.fromkeys(row["cohort"] for row in results["runs"]):
        of_cohort = results_of(results, cohort)
        folds = dict.fromkeys(row["fold"] for row in of_cohort["pooled"])
        for fold in folds:
            lines += [f"## Trained on {cohort}: {_fold_title(fold)}", ""]
            lines += fold_tables(of_cohort, fold, study.compared_with)
        if not folds:
            lines += [f"## Trained on {cohort}", "", *score_table(of_cohort, None), ""]
    return "\n".join(lines)


def results_of(results, cohort):
    """The rows of the detectors that were trained on a cohort."""
    return {name: [row for row in rows if row["cohort"] == cohort] for name, rows in results.items()}


def fold_tables(results, fold, compared_with=None):
    """All tables of one fold, lines of Markdown; results of one cohort."""
    lines = [*score_table(results, fold), ""]
    if len({row["patient"] for row in results["patients"] if row["fold"] == fold}) > 1:
        lines += [*patient_table(results, fold, compared_with), ""]
    return [*lines, *class_table(results, fold), *threshold_table(results, fold), ""]


def score_table(results, fold):
    """Tables 1 to 4 of A: pooled scores of each method, and what they cost."""
    lines = _head("method", "seeds", *SCORES, *COSTS)
    for method, runs in _by_method(results["runs"]).items():
        rows = _pooled(results, method, fold, _good(runs))
        scores = [_mean(rows, key) for key in SCORES.values()]
        lines.append(_line(method, len(runs), *_marked(scores, runs), *_cost_cells(results, method)))
    return lines


def patient_table(results, fold, compared_with=None):
    """Mean over the patients with 95 % bootstrap intervals, and the paired comparison with one method."""
    all_runs = _by_method(results["runs"])
    methods = {method: _patients(results, method, fold, runs) for method, runs in all_runs.items()}
    other = compared_with if compared_with in methods else next(iter(methods))
    head = [f"AUC minus that of {other}", "p (paired t)"]
    lines = _head("method, per patient", "patients", *PATIENT_SCORES, *head, *COSTS)
    for method, rows in methods.items():
        values = {name: by_patient(rows, key) for name, key in PATIENT_SCORES.items()}
        cells = [_interval(list(each.values())) for each in values.values()]
        compared = ["-", "-"]
        if method != other and values["AUC"] and methods[other]:
            found = paired_comparison(values["AUC"], by_patient(methods[other], "roc_auc"))
            compared = [
                f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]",
                f"{found['p']:.2g}",
            ]
        cells = [*_marked([*cells, *compared], all_runs[method]), *_cost_cells(results, method)]
        lines.append(_line(method, len(values["AUC"]), *cells))
    return lines


def class_table(results, fold):
    """AUC, AP and best Dice of each abnormality class against normal; no lines where there is one class."""
    labels = dict.fromkeys(r["label"] for r in results["pooled"] if r["fold"] == fold and r["label"] != "any")
    if not labels:
        return []
    scores = [f"class {label}: {name}" for label in labels for name in PATIENT_SCORES]
    lines = _head("method", *scores, *COSTS)
    for method, runs in _by_method(results["runs"]).items():
        cells = []
        for label in labels:
            rows = _pooled(results, method, fold, _good(runs), label)
            cells += [_mean(rows, key) for key in PATIENT_SCORES.values()]
        lines.append(_line(method, *_marked(cells, runs), *_cost_cells(results, method)))
    return [*lines, ""]


def threshold_table(results, fold):
    """How far the threshold can be trusted: the best Dice of the fold against the chosen one's."""
    lines = _head("method", "best Dice of the fold", "Dice at the validation's threshold", "lost", *COSTS)
    for method, runs in _by_method(results["runs"]).items():
        rows = _pooled(results, method, fold, _good(runs))
        rows = [row | {"lost": row["best_dice"] - row["f1"]} for row in rows]
        scores = [_mean(rows, key) for key in ("best_dice", "f1", "lost")]
        lines.append(_line(method, *_marked(scores, runs), *_cost_cells(results, method)))
    return lines


def _by_method(runs):
    methods = {}
    for run in runs:
        methods.setdefault(run["method"], []).append(run)
    return methods


def _good(runs):
    """Seeds of the runs that are numbers."""
    return [run["seed"] for run in runs if run["status"] == "ok"]


def _pooled(results, method, fold, seeds, label="any"):
    wanted = (method, fold, label)
    rows = results["pooled"]
    return [r for r in rows if (r["method"], r["fold"], r["label"]) == wanted and r["seed"] in seeds]


def _patients(results, method, fold, runs):
    rows, good = results["patients"], _good(runs)
    return [r for r in rows if (r["method"], r["fold"]) == (method, fold) and r["seed"] in good]


def _marked(cells, runs):
    """Cells of scores; where runs failed to give any, why stands in the first of them."""
    why = next((run["status"] for run in runs if run["status"] != "ok"), None)
    if why is None:
        return cells
    why = why.replace("|", "/")
    n_bad = sum(run["status"] != "ok" for run in runs)
    if n_bad == len(runs):
        return [why, *["-"] * (len(cells) - 1)]
    return [f"{cells[0]} ({n_bad} of {len(runs)} {why})", *cells[1:]]


def _mean(rows, key):
    values = np.array([row[key] for row in rows], dtype=float)
    if not values.size or np.isnan(values).any():
        return "-"
    return f"{values.mean():.3f}" + (f" ± {values.std(ddof=1):.3f}" if values.size > 1 else "")


def _interval(values):
    if not values:
        return "-"
    low, high = confidence_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def _cost_cells(results, method):
    rows = [row for row in results["costs"] if row["method"] == method]
    if not rows:
        return ["-"] * len(COSTS)
    minutes, seconds, memory, parameters = (np.mean([row[key] for row in rows]) for key in COSTS.values())
    partly = "≥ " if any(row["resumed"] for row in rows) else ""
    return [f"{partly}{minutes:.2f}", f"{seconds:.2f}", f"{memory:.2f}", f"{parameters:,.0f}"]


def _fold_title(fold):
    return {"validation": "validation fold", "test": "test fold"}.get(fold, fold)


def _head(*names):
    return [_line(*names), "|" + "---|" * len(names)]


def _line(*cells):
    return f"| {' | '.join(map(str, cells))} |"
