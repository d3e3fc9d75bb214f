"""``skad tune``: the parameters of a method that find planted lesions best, and the detector with them."""

import math

from sklearn.model_selection import ParameterGrid

from skad.cli.fit import detector_of, train
from skad.cli.scans import load_for_training
from skad.cli.terminal import complain, record_tables, tell
from skad.methods import GRIDS
from skad.model_selection import PseudoAnomalyScorer
from skad.model_selection.grid import read_grid
from skad.model_selection.pseudo_anomaly import FAMILIES
from skad.persistence import ResumableSearch
from skad.training import monitored


def tune(
    folder,
    *,
    out,
    grid,
    family,
    folds,
    cache,
    callback,
    resume,
    overwrite,
    contrasts,
    where,
    strict,
    **method,
):
    """Search, write the table, fit the best; 1 when a configuration failed, or a subject."""
    search = ResumableSearch(out, resume=resume, overwrite=overwrite)
    if search.is_complete():
        tell(f"{out} was complete already.")
        return 0
    volumes, n_failed = load_for_training(folder, contrasts=contrasts, where=where, strict=strict)
    detector = detector_of(volumes, **method)
    grid = GRIDS[method["method"]] if grid is None else read_grid(grid)
    n_subjects, n = len({volume.subject for volume in volumes}), len(ParameterGrid(grid))
    if not 2 <= folds <= n_subjects:
        raise ValueError(f"--folds should be from 2 to {n_subjects}, the number of subjects, got {folds}.")
    tell(
        f"{len(volumes)} subjects, {n} configurations of {method['method']}, {folds} folds: {n * folds} fits."
    )
    settings = {"n_splits": folds, "cache": cache, "n_jobs": method["jobs"], "verbose": 3}
    with monitored(callback):
        rows = search.rank(detector, volumes, grid, scoring=_scoring(family, volumes), **settings)
        failed = _tell_ranking(rows, grid, search.table)
        method["settings"] = [*method["settings"], *((name, rows[0][name]) for name in grid)]
        train(search, volumes, **method)
    return int(n_failed > 0 or failed)


def _scoring(family, volumes):
    if family:
        return PseudoAnomalyScorer(families={name: FAMILIES[name] for name in family})
    return PseudoAnomalyScorer.for_contrasts(volumes[0].contrasts)


def _tell_ranking(rows, grid, table):
    """Tell the best configuration and those that failed; whether some did."""

    def described(row):
        return " ".join(f"{name}={row[name]!r}" for name in grid)

    failed = [described(row) for row in rows if math.isnan(row["mean_test_score"])]
    reason = ValueError("could not be fitted and scored; `skad fit` with this --set says why.")
    complain(dict.fromkeys(failed, reason))
    record_tables({table: rows})
    tell(f"{table}: planted lesions are found best with {described(rows[0])}.")
    return bool(failed)
