"""The search that every method of a study gets: as many configurations of each, chosen by one rule."""

import json
import math

from skad.benchmark.layout import Step, cost_of, is_done
from skad.benchmark.study import trial_name


def trial_steps(study, names, cohort):
    """The configurations of some methods as steps: (step, method, index), in the order of the study."""
    return [
        (Step(cohort, trial_name(name, index + 1), study.tuning.seed, True), name, index)
        for name in names
        for index in range(len(study.candidates[name]))
    ]


def choose(layout, trials):
    """The configuration of every method with the best score; the first of those that are alike.

    A configuration that failed, stopped or collapsed is not chosen unless all of a method are so.

    Parameters
    ----------
    layout : Layout
        Of the study's trials.
    trials : list of (Step, str, int)
        As of :func:`trial_steps`.

    Returns
    -------
    chosen : dict of str to int
        Index of the candidate of each method.
    rows : list of dict
        "cohort", "method", "configuration" (from 1), "settings" (those that differ, JSON), "score", "status",
        "chosen" (0 or 1).
    """
    rows = [_row(layout, *trial) for trial in trials]
    chosen = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == method]
        best = max(of_method, key=lambda row: (row["status"] == "ok", _or_lowest(row["score"])))
        best["chosen"] = 1
        chosen[method] = best["configuration"] - 1
    return chosen, rows


def _row(layout, step, method, index):
    component = layout.component(step)
    cost = cost_of(layout.folder(step)) if is_done(layout.folder(step)) else {"stopped": "failed"}
    status = "ok"
    if "stopped" in cost:
        status = f"stopped: {cost['stopped']}"
    elif cost["collapsed"]:
        status = f"collapsed: {cost['collapsed']}"
    return {
        "cohort": step.cohort,
        "method": method,
        "configuration": index + 1,
        "settings": _settings(component),
        "score": cost.get("score", math.nan),
        "status": status,
        "chosen": 0,
    }


def _settings(component):
    settings = {"reference": component.reference} if component.reference else {}
    return json.dumps(settings | component.table, sort_keys=True)


def _or_lowest(score):
    return -math.inf if math.isnan(score) else score
