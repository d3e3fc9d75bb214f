"""The rows of one cohort's runs, and which of them are numbers."""

import copy

from skad.evaluation import by_subject


class Summary:
    """Results of the detectors that were trained on one cohort.

    Parameters
    ----------
    study : Study
    results : dict of str to list of dict
        As of :func:`skad.benchmark.results.read_results`.
    cohort : str
    """

    def __init__(self, study, results, cohort):
        self.study, self.cohort = study, cohort
        self._results = {n: [r for r in rows if r["cohort"] == cohort] for n, rows in results.items()}
        self._runs = {}
        for run in self._results["runs"]:
            self._runs.setdefault(run["method"], []).append(run)
        self.methods = list(self._runs)
        self.folds = list(dict.fromkeys(row["fold"] for row in self._results["pooled"]))
        wanted = study.compared_with
        self.compared_with = wanted if wanted in self._runs else self.methods[0]

    def runs(self, method):
        """Rows of the table "runs"."""
        return self._runs[method]

    def all_rows(self, table, method=None):
        """Rows of a table, of a method or of all."""
        rows = self._results.get(table, [])
        return [row for row in rows if method is None or row["method"] == method]

    def rows(self, table, method, fold):
        """Rows of the seeds of a method that ended well."""
        good = {run["seed"] for run in self._runs[method] if run["status"] == "ok"}
        rows = self.all_rows(table, method)
        return [row for row in rows if row["fold"] == fold and row["seed"] in good]

    def scans(self, method, fold):
        """Rows of the table "scans" for any abnormality."""
        return [row for row in self.rows("scans", method, fold) if row["label"] == "any"]

    def apart(self, fold):
        """The summaries of the subjects that the study sets apart, and of the others; None where it does not.

        A subject is set apart where the study's method scores below its bound, mean over the seeds; subjects
        without a score, as those without a lesion, are in neither.
        """
        rule = self.study.apart
        if rule is None or rule["method"] not in self._runs:
            return None
        scores = by_subject(self.scans(rule["method"], fold), rule["metric"])
        parts = ({s for s, v in scores.items() if (v < rule["below"]) is low} for low in (True, False))
        return tuple(self._only(subjects) for subjects in parts)

    def _only(self, subjects):
        part = copy.copy(self)
        scans = [row for row in self._results["scans"] if row["subject"] in subjects]
        part._results = self._results | {"scans": scans}
        return part

    def n_subjects(self, fold):
        """How many subjects a fold has."""
        return len({row["subject"] for row in self._results["scans"] if row["fold"] == fold})

    def labels(self, fold):
        """Labels of a fold, "any" first."""
        found = dict.fromkeys(row["label"] for row in self._results["pooled"] if row["fold"] == fold)
        return sorted(found, key=lambda label: (label != "any", label))

    def is_number(self, method):
        """Whether enough seeds ended well."""
        return self.reason(method) is None

    def reason(self, method):
        """Why a method is no number; None where it is one."""
        runs = self._runs[method]
        bad = [run["status"].replace("|", "/") for run in runs if run["status"] != "ok"]
        n_good, needed = len(runs) - len(bad), self.study.seeds_needed(method)
        if n_good >= needed:
            return None
        if bad:
            return bad[0] if not n_good else f"{len(bad)} of {len(runs)} {bad[0]}"
        return f"{n_good} of {needed} seeds"

    def marked(self, method, cells):
        """Cells of scores; of what is no number the first says why, and the others are empty."""
        reason = self.reason(method)
        if reason is not None:
            return [reason, *["-"] * (len(cells) - 1)]
        runs = self._runs[method]
        bad = [run["status"].replace("|", "/") for run in runs if run["status"] != "ok"]
        return cells if not bad else [f"{cells[0]} ({len(bad)} of {len(runs)} {bad[0]})", *cells[1:]]
