"""``skad tune``: the parameters of a method that find planted lesions best, and the detector with them."""

import contextlib
import math
import shutil
from pathlib import Path

import joblib
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from skad.cli.arguments import TUNE_TABLE
from skad.cli.fit import train
from skad.cli.scans import load_for_training
from skad.cli.terminal import complain, tell, write_table
from skad.methods import GRIDS, make_detector, set_parameters
from skad.model_selection import PseudoAnomalyScorer, rank_configurations, slices_for_search
from skad.model_selection.grid import read_grid
from skad.model_selection.pseudo_anomaly import FAMILIES
from skad.persistence import ResumableFit
from skad.persistence.resumable import Unfinished, check_free
from skad.training import monitored
from skad.utils.folders import new_folder
from skad.utils.locks import locked


def tune(
    folder,
    *,
    out,
    grid,
    family,
    folds,
    jobs,
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
    search, table = Unfinished(out, ".search", "output.pkl"), Path(out).with_name(TUNE_TABLE)
    training = ResumableFit(out, resume=resume or not overwrite, overwrite=overwrite or resume)
    if resume and search.is_complete():
        search.remove()
        tell(f"{out} was complete already.")
        return 0
    begun = search.has_begun or training.unfinished.has_begun
    for each in (search, training.unfinished):
        each.check_free(resume=resume, overwrite=overwrite or (resume and begun))
    check_free(table, overwrite=overwrite or (resume and begun))
    scans = {"contrasts": contrasts, "where": where, "strict": strict}
    volumes, n_failed = load_for_training(folder, **scans)
    detector = _detector(volumes, jobs=jobs, **method)
    grid = GRIDS[method["method"]] if grid is None else read_grid(grid)
    for candidate in ParameterGrid(grid):  # a mistake is found before hours of training
        set_parameters(clone(detector), candidate)
    n_subjects = len({volume.subject for volume in volumes})
    if not 2 <= folds <= n_subjects:
        raise ValueError(f"--folds should be from 2 to {n_subjects}, the number of subjects, got {folds}.")
    scoring = _scoring(family, volumes[0].contrasts)
    with new_folder(search.folder), locked(search.folder), _kept_if_begun(search), monitored(callback):
        if not resume:
            shutil.rmtree(search.folder / "joblib", ignore_errors=True)  # where joblib keeps results
        slices = slices_for_search(detector.preprocessor, volumes)
        n = len(ParameterGrid(grid))
        tell(
            f"{len(volumes)} subjects, {n} configurations of {method['method']}, {folds} folds: "
            f"{n * folds} fits."
        )
        memory = joblib.Memory(Path(cache or search.folder).absolute(), verbose=0)
        settings = {"scoring": scoring, "n_splits": folds, "memory": memory, "verbose": 3}
        with joblib.parallel_config(**({} if jobs in (None, 1) else {"n_jobs": jobs, "verbose": 10})):
            rows = rank_configurations(detector.pipeline, grid, *slices, **settings)
        best, failed = _told(rows, grid, table)
        if not training.is_complete():
            method["settings"] = [*method["settings"], *best.items()]
            train(training, volumes, jobs=jobs, **method)
        search.finish()
    return int(n_failed > 0 or failed)


def _scoring(family, contrasts):
    if family:
        return PseudoAnomalyScorer(families={name: FAMILIES[name] for name in family})
    return PseudoAnomalyScorer.for_contrasts(contrasts)


def _detector(volumes, *, method, settings, epochs, seed, device, jobs):
    return make_detector(
        method,
        volumes[0].contrasts,
        parameters=dict(settings),
        random_state=seed,
        max_epochs=epochs,
        device=device,
        n_jobs=jobs,
    )


def _told(rows, grid, table):
    """Write the table and tell of it: the best configuration, and whether others failed."""

    def described(row):
        return " ".join(f"{name}={row[name]!r}" for name in grid)

    failed = [described(row) for row in rows if math.isnan(row["mean_test_score"])]
    reason = ValueError("could not be fitted and scored; `skad fit` with this --set says why.")
    complain(dict.fromkeys(failed, reason))
    write_table(rows, table)
    tell(f"{table}: planted lesions are found best with {described(rows[0])}.")
    return {name: rows[0][name] for name in grid}, bool(failed)


@contextlib.contextmanager
def _kept_if_begun(search):
    """Leave no folder behind from which nothing can be resumed."""
    try:
        yield
    finally:
        if not search.has_begun:
            shutil.rmtree(search.folder, ignore_errors=True)
