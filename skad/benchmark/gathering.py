"""The rows of all finished runs of a study, in one CSV per table."""

from dataclasses import dataclass
from pathlib import Path

from skad.benchmark.layout import Layout, Step, cost_of, is_done
from skad.benchmark.results import COSTS, OPTIONAL, TABLES, read_rows, write_rows
from skad.benchmark.slices import CohortSlices


@dataclass(frozen=True)
class Gathered:
    """What a cohort's runs left.

    Attributes
    ----------
    layout : Layout
        Of the study with the chosen configurations.
    steps : list of Step
        All runs of methods in the study's order; what is not finished is left out.
    errors : dict of Step to Exception
        Why runs failed.
    tried : list of dict
        Rows of the configurations.
    """

    layout: Layout
    steps: list
    errors: dict
    tried: list


def gather(out, cohorts):
    """Write the CSV files of a study into a folder; of cohorts, each a `Gathered`.

    A table that only some studies have is written where there is a row of it.
    """
    tables = {name: [] for name in (*TABLES, COSTS, *OPTIONAL)}
    for cohort in cohorts:
        for step in cohort.steps:
            _add_run(tables, cohort, step)
        _add_references(tables, cohort)
        tables["tuning"] += cohort.tried
    for name, rows in tables.items():
        path = Path(out) / f"{name}.csv"
        if rows or name not in OPTIONAL:
            write_rows(rows, path)
        else:
            path.unlink(missing_ok=True)


def _add_run(tables, cohort, step):
    run, folder = _run(step), cohort.layout.folder(step)
    if step in cohort.errors:
        why = " ".join(str(cohort.errors[step]).split())
        tables["runs"].append(run | {"status": f"failed: {why}"})
    if not is_done(folder):
        return
    cost = cost_of(folder)
    tables["runs"].append(run | {"status": status(cohort.layout, step)})
    for name in (*TABLES, *OPTIONAL):
        if name != "fidelity" and (folder / f"{name}.csv").exists():
            tables[name] += [run | row for row in read_rows(folder / f"{name}.csv")]
    if "stopped" not in cost:
        tables[COSTS].append(run | _total_cost(cohort.layout, step))


def _add_references(tables, cohort):
    """Fidelity and losses of the references, which are in the table by their names."""
    steps = dict.fromkeys(each for step in cohort.steps for each in _chain(cohort.layout, step))
    for step in (step for step in steps if not step.is_method):
        folder = cohort.layout.folder(step)
        for name in ("fidelity", "curves") if is_done(folder) else ():
            if (folder / f"{name}.csv").exists():
                tables[name] += [_run(step) | row for row in read_rows(folder / f"{name}.csv")]


def status(layout, step):
    """ "ok", or why a finished step is no number: "collapsed: ...", "stopped: ..."."""
    cost = cost_of(layout.folder(step))
    if "stopped" in cost:
        return f"stopped: {cost['stopped']}"
    if cost["collapsed"]:
        return f"collapsed: {cost['collapsed']}"
    for name, needed in layout.needed(step).items():
        found = status(layout, needed)
        if found != "ok":
            return found.replace(": ", f": {name}, which it needs, ", 1)
    return "ok"


def _run(step):
    return {"cohort": step.cohort, "method": step.name, "seed": step.seed}


def _total_cost(layout, step):
    """Cost of a run with the references that it uses; a shared reference counts for each of its users."""
    component = layout.component(step)
    used = [step, *([Step(step.cohort, component.reference, step.seed)] if component.reference else [])]
    all_costs = [cost_of(layout.folder(each)) for each in _chain(layout, step)]
    costs = [cost_of(layout.folder(each)) for each in used]
    slices = CohortSlices(layout.cohort_folder(step.cohort))
    n_volumes = len(set(slices.volumes("test").tolist()))
    return {
        "minutes": sum(cost["fit_seconds"] for cost in all_costs) / 60,
        "seconds_per_volume": sum(cost["score_seconds"]["test"] for cost in costs) / n_volumes,
        "gigabytes": max(cost["gigabytes"] for cost in all_costs),
        "parameters": sum(cost["parameters"] for cost in costs),
        "resumed": int(any(cost["resumed"] for cost in all_costs)),
    }


def _chain(layout, step):
    """The step and all references that it needs, each once."""
    steps = {step: None}
    for reference in layout.needed(step).values():
        steps |= dict.fromkeys(_chain(layout, reference))
    return list(steps)
