"""The tables of a study, made from its CSV files and nothing else: Markdown, and a CSV each for the pages."""

import csv
import shutil
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from skad.benchmark.results import read_results
from skad.benchmark.summary import Summary
from skad.evaluation import (
    by_subject,
    confidence_interval,
    holm,
    over_seeds,
    over_subjects,
    paired_comparison,
)
from skad.utils.files import written_whole

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
COSTS = {
    "training, minutes": "minutes",
    "seconds per volume": "seconds_per_volume",
    "peak GB": "gigabytes",
    "parameters": "parameters",
}
NOTES = """\
Mean ± standard deviation over the seeds. Methods with fewer than {min_seeds} seeds that ended well
have no number, and the row says why; methods without randomness run once. Scores are of the pooled
foreground pixels of a fold, or means over its subjects with 95 % bootstrap intervals. Everything at
a threshold uses the one with the best Dice on the validation fold. p is that of the paired t-test
over subjects; "Holm" corrects it for the number of comparisons in its table."""


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
    head: list
    rows: list

    def has_numbers(self):
        """Whether any cell beside the first two says something."""
        return any(cell != "-" for row in self.rows for cell in row[2:])

    def markdown(self):
        """Lines."""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        return [f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""]


def write_tables(study, folder):
    """Write the tables of a study from the CSV files of its results.

    Parameters
    ----------
    study : Study
        Gives the title and the method that the others are compared with.
    folder : pathlib.Path
        The folder of results that :func:`run_study` wrote.

    Returns
    -------
    pathlib.Path
        ``tables.md``; the same tables as CSV files are in ``tables/``.

    See Also
    --------
    skad.benchmark.run_study : Writes the results.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skad.benchmark import parse_study, write_tables
    >>> study = parse_study(
    ...     {
    ...         "seeds": [0],
    ...         "cohort": {"loader": "phantom", "random_state": 0, "folds": {"train": 2, "test": 4}},
    ...         "methods": {"FLAIR": {"class": "IntensityScorer", "contrast": 1}},
    ...     }
    ... )
    >>> write_tables(study, Path(tempfile.mkdtemp())).name
    'tables.md'
    """
    results = read_results(folder)
    sections = make_tables(study, results)
    shutil.rmtree(folder / "tables", ignore_errors=True)
    (folder / "tables").mkdir()
    lines = [f"# {study.title}", "", NOTES.format(min_seeds=study.min_seeds), ""]
    for heading, tables in sections.items():
        lines += [f"## {heading}", ""]
        for table in tables:
            lines += table.markdown()
            with open(folder / "tables" / f"{table.name}.csv", "w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows([table.head, *table.rows])
    path = folder / "tables.md"
    with written_whole(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
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
    dict of str to list of Table
        By heading: every fold of every cohort that is trained on, then what its methods cost.
    """
    sections = {}
    for cohort in dict.fromkeys(row["cohort"] for row in results["runs"]):
        summary = Summary(study, results, cohort)
        for fold in summary.folds:
            title = {"validation": "validation fold", "test": "test fold"}.get(fold, fold)
            sections[f"Trained on {cohort}: {title}"] = fold_tables(summary, fold)
        sections[f"Trained on {cohort}: references and costs"] = [
            *fidelity_tables(summary),
            *selection_tables(summary),
            *tuning_tables(summary),
            cost_table(summary),
        ]
    return sections


def fold_tables(summary, fold):
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
    )
    tables = [make(summary, fold) for make in makers]
    if parts := summary.apart(fold):
        for part, which in zip(parts, (summary.study.apart["title"], "the other subjects"), strict=True):
            for make in (subject_table, comparison_table):
                table = make(part, fold)
                name = f"{table.name}_{'apart' if part is parts[0] else 'rest'}"
                tables.append(Table(name, f"{table.title}: {which}", table.head, table.rows))
    return [table for table in tables if table.has_numbers()]


def score_table(summary, fold):
    """Scores over all thresholds (Tables 1 and 2 of A)."""
    rows = []
    for method in summary.methods:
        cells = summary.marked(method, _pooled(summary, method, fold, RANKING))
        rows.append([method, str(len(summary.runs(method))), *cells])
    return _table(summary, fold, "scores", "Pooled pixels", ["method", "runs", *RANKING], rows)


def threshold_table(summary, fold):
    """Scores at the validation's threshold, and how much Dice that choice loses."""
    rows = [
        [method, *summary.marked(method, _pooled(summary, method, fold, AT_THRESHOLD))]
        for method in summary.methods
    ]
    title = "Pooled pixels at the validation's threshold; lost: best Dice minus Dice"
    return _table(summary, fold, "threshold", title, ["method", *AT_THRESHOLD], rows)


def subject_table(summary, fold):
    """Mean over the subjects with 95 % intervals; no rows for one subject."""
    rows = []
    for method in summary.methods if summary.n_subjects(fold) > 1 else ():
        found = {name: by_subject(summary.scans(method, fold), key) for name, key in RANKING.items()}
        cells = [_interval(list(each.values())) for each in found.values()]
        rows.append([method, str(len(found["AUC"])), *summary.marked(method, cells)])
    return _table(summary, fold, "subjects", "Mean over subjects", ["method", "subjects", *RANKING], rows)


def comparison_table(summary, fold):
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


def lesion_table(summary, fold):
    """What connected components at the validation's threshold are worth: mean over the scans."""
    rows = []
    for method in summary.methods:
        scans = summary.scans(method, fold)
        cells = [_seeds(_means_of_seeds(scans, key)) for key in LESIONS.values()]
        rows.append([method, *summary.marked(method, cells)])
    return _table(summary, fold, "lesions", "Lesions, mean over scans", ["method", *LESIONS], rows)


def volume_table(summary, fold):
    """Share of lesions found per range of volumes."""
    rows_of = {m: summary.rows("lesion_volumes", m, fold) for m in summary.methods}
    some = next((rows for rows in rows_of.values() if rows), [])
    ranges = {row["smallest_mm3"]: f"{_range(row)} ({row['n_lesions']})" for row in some}
    rows = []
    for method, found in rows_of.items():
        cells = [_seeds([r["recall"] for r in found if r["smallest_mm3"] == low]) for low in ranges]
        rows.append([method, *summary.marked(method, cells)])
    title = "Share of lesions found, by volume in mL (number of lesions)"
    return _table(summary, fold, "volumes", title, ["method", *ranges.values()], rows if ranges else [])


def class_table(summary, fold):
    """Pooled scores of each abnormality class against normal; no rows where there is one class."""
    labels = [label for label in summary.labels(fold) if label != "any"]
    rows = [
        [label, method, *summary.marked(method, _pooled(summary, method, fold, RANKING, label))]
        for label in (labels if len(labels) > 1 else ())
        for method in summary.methods
    ]
    return _table(summary, fold, "classes", "Pooled pixels per class", ["class", "method", *RANKING], rows)


def classwise_table(summary, fold):
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


def fidelity_tables(summary):
    """Anatomical fidelity of the references (K, II-D); no table where the study does not measure it."""
    found = {}
    for row in summary.all_rows("fidelity"):
        found.setdefault((row["fold"], row["method"]), []).append(row)
    rows = [
        [fold, name, str(len(each)), *(_seeds([r[key] for r in each]) for key in ("quality", "overlap"))]
        for (fold, name), each in found.items()
    ]
    head = ["fold", "reference", "seeds", "quality score, nats per slice", "overlap score"]
    title = "Anatomical fidelity of the references, mean over slices"
    return [Table(f"{summary.cohort}_fidelity", title, head, rows)] if rows else []


def selection_tables(summary):
    """How scores on planted lesions rank the methods: rank correlation with labels, and regret."""
    planted = {}
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


def tuning_tables(summary):
    """What was tried, by the score it was chosen on."""
    rows = [
        [r["method"], str(r["configuration"]), f"{r['score']:.3f}", "chosen" * r["chosen"], r["status"]]
        for r in summary.all_rows("tuning")
    ]
    tuning = summary.study.tuning
    title = f"Search: {tuning.tries} configurations of every method, by {tuning.on}" if tuning else ""
    head = ["method", "configuration", "score", "", "status"]
    return [Table(f"{summary.cohort}_tuning", title, head, rows)] if rows and tuning else []


def cost_table(summary):
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


def _table(summary, fold, name, title, head, rows):
    return Table(f"{summary.cohort}_{fold}_{name}", title, head, rows)


def _pooled(summary, method, fold, columns, label="any"):
    rows = [row for row in summary.rows("pooled", method, fold) if row["label"] == label]
    rows = [row | {"lost": row["best_dice"] - row.get("dice", np.nan)} for row in rows]
    return [_seeds([row.get(key, np.nan) for row in rows]) for key in columns.values()]


def _means_of_seeds(scans, key):
    """Mean over the subjects for each seed."""
    seeds = dict.fromkeys(row["seed"] for row in scans)
    return [over_subjects([row for row in scans if row["seed"] == seed], key)[0] for seed in seeds]


def _seeds(values):
    mean, sd = over_seeds(values)
    if np.isnan(mean):
        return "-"
    return f"{mean:.3f}" + ("" if np.isnan(sd) else f" ± {sd:.3f}")


def _interval(values):
    if not values:
        return "-"
    low, high = confidence_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


def _range(row):
    low, high = row["smallest_mm3"] / 1000, row["below_mm3"] / 1000
    if not low:
        return f"below {high:g}"
    return f"from {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
