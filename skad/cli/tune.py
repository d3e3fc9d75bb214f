"""``skad tune``: the parameters of a method that find planted lesions best, and the detector with them."""

import contextlib
import math
import shutil
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn import config_context
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skad.cli.arguments import TUNE_TABLE
from skad.cli.cluster import connected
from skad.cli.cohort import load_for_training
from skad.cli.fit import is_complete, train
from skad.cli.grid import as_settings, read_grid
from skad.cli.methods import GRIDS, build_detector
from skad.cli.output import complain, tell, write_table
from skad.cli.saved import is_saved, mark_saved, tidy
from skad.model_selection import CachedFit, NormalTrainSplit, PseudoAnomalyScorer
from skad.model_selection.pseudo_anomaly import FAMILIES
from skad.utils.folders import new_folder
from skad.utils.locks import locked


def tune(
    folder,
    *,
    method,
    out,
    grid=None,
    family=(),
    folds=3,
    contrasts=None,
    where=(),
    settings=(),
    epochs=None,
    seed=0,
    device="auto",
    n_jobs=None,
    dask=None,
    cache=None,
    resume=False,
    overwrite=False,
):
    """Search, write the table, and fit the best on all subjects; parameters as in ``skad tune --help``.

    Returns
    -------
    int
        0; 1 when a configuration failed and the best of the others was taken.

    Raises
    ------
    ValueError
        One sentence that names the file or option.
    """
    out = Path(out)
    work, table = out.with_name(out.name + ".search"), out.with_name(TUNE_TABLE)
    if resume and is_saved(out, work):
        tidy(work)
        tell(f"{out} was complete already.")
        return 0
    _check_free(out, table, work, resume, overwrite)
    shared = {"seed": seed, "epochs": epochs, "device": device}
    volumes, n_failed = load_for_training("tune", folder, contrasts=contrasts, where=where)
    names = volumes[0].contrasts
    detector = build_detector(method, names, settings=settings, jobs=n_jobs, **shared)
    grid = GRIDS[method] if grid is None else read_grid(grid)
    for candidate in ParameterGrid(grid):  # a mistake is found before hours of training
        build_detector(method, names, settings=[*settings, *as_settings(candidate)], **shared)
    n_subjects = len({volume.subject for volume in volumes})
    if not 2 <= folds <= n_subjects:
        raise ValueError(f"--folds should be from 2 to {n_subjects}, the number of subjects, got {folds}.")
    scoring = PseudoAnomalyScorer(families={name: FAMILIES[name] for name in family} or None)
    with new_folder(work), locked(work), _tidy(work), _workers(dask, n_jobs) as workers:
        if not resume:
            shutil.rmtree(work / "joblib", ignore_errors=True)  # where joblib.Memory keeps results
        slices = prepare(detector.preprocessor, volumes)
        n = len(ParameterGrid(grid))
        tell(f"{len(volumes)} subjects, {n} configurations of {method}, {folds} folds: {n * folds} fits.")
        memory = joblib.Memory(Path(cache or work).absolute(), verbose=0)
        with joblib.parallel_config(**workers):
            rows = search(detector.pipeline, grid, *slices, scoring=scoring, folds=folds, memory=memory)
        write_table(rows, table)
        best = as_settings({name: rows[0][name] for name in grid})
        tell(f"{table}: planted lesions are found best with {' '.join(best)}.")
        resumed, replaces = resume or not overwrite, overwrite or resume  # what is there is of this run
        if not is_complete(out, resume=resumed, overwrite=replaces):
            settings = [*settings, *best]
            train(volumes, out=out, method=method, settings=settings, jobs=n_jobs, resume=resumed, **shared)
        mark_saved(out, work)
        tidy(work)
    return int(n_failed > 0 or any(math.isnan(row["mean_test_score"]) for row in rows))


def prepare(preprocessor, volumes):
    """Slices of all volumes, and which of them show a lesion; without labels none does, as in ``skad fit``.

    Parameters
    ----------
    preprocessor : VolumePreprocessor
        Is fitted.
    volumes : list of Volume

    Returns
    -------
    X : float32 ndarray of shape (n_slices, n_contrasts, height, width)
    has_lesion : int ndarray of shape (n_slices,)
    subjects : str ndarray of shape (n_slices,)
    """
    preprocessor.fit(volumes)
    parts = [[volume for volume in volumes if volume.has_labels is told] for told in (True, False)]
    stacks = [preprocessor.transform(part) for part in parts if part]
    lesions = [np.zeros(len(s.X), int) if s.y is None else s.y.any(axis=(1, 2)).astype(int) for s in stacks]
    X, subjects = (np.concatenate([getattr(s, name) for s in stacks]) for name in ("X", "groups"))
    return X, np.concatenate(lesions), subjects


def search(pipeline, grid, X, has_lesion, subjects, *, scoring, folds, memory):
    """The table of a grid search whose fits are kept, best first; configurations that fail are told and last.

    Parameters
    ----------
    pipeline : Pipeline
    grid : dict of str to list
        Values of each parameter.
    X, has_lesion, subjects : arrays of `prepare`
    scoring : PseudoAnomalyScorer
    folds : int
    memory : joblib.Memory

    Returns
    -------
    list of dict
        A configuration's parameters, and its numbers in ``cv_results_``.

    Raises
    ------
    ValueError
        Every configuration failed; says why.
    """
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", FitFailedWarning)
        for text in ("Scoring failed", "One or more of the test scores are non-finite", "Persisting input"):
            warnings.filterwarnings("ignore", text)
        searching = GridSearchCV(
            CachedFit(pipeline, memory=memory),
            {f"estimator__{name}": values for name, values in grid.items()},
            scoring=scoring.set_score_request(groups=True),
            cv=NormalTrainSplit(n_splits=folds),
            refit=False,
            verbose=3,  # a line per fit
        )
        try:
            results = searching.fit(X, has_lesion, groups=subjects).cv_results_
        except ValueError as error:  # scikit-learn tells every traceback
            raise ValueError(str(error).strip().splitlines()[-1]) from error
    return _rows(results)


def _rows(results):
    rows = []
    for i, parameters in enumerate(results["params"]):
        row = {name.removeprefix("estimator__"): value for name, value in parameters.items()}
        numbers = [name for name in results if not name.startswith("param")]
        rows.append(row | {name: results[name][i].item() for name in numbers})
    failed = [row for row in rows if math.isnan(row["mean_test_score"])]
    names = [name.removeprefix("estimator__") for name in results["params"][0]]
    reason = ValueError("could not be fitted and scored; `skad fit` with this --set says why.")
    complain("tune", {" ".join(as_settings({name: row[name] for name in names})): reason for row in failed})
    if len(failed) == len(rows):
        raise ValueError("No configuration could be fitted and scored: there is nothing to choose from.")
    return sorted(rows, key=lambda row: row["rank_test_score"])


def _check_free(out, table, work, resume, overwrite):
    """Nothing that is already computed is lost by a forgotten option."""
    if out.is_dir():
        raise ValueError(f"--out {out} is a folder: give the name of a file, as {out / 'detector.skad'}.")
    begun = [each for each in (work, out.with_name(out.name + ".checkpoints")) if each.exists()]
    if out.exists() and not (overwrite or (resume and begun)):
        raise ValueError(f"{out} exists already: choose another --out, or add --overwrite.")
    if table.exists() and not (overwrite or (resume and begun)):
        raise ValueError(f"{table} exists already: choose another folder for --out, or add --overwrite.")
    if begun and not (resume or overwrite):
        raise ValueError(
            f"{begun[0]} holds an unfinished run: add --resume to go on, or --overwrite to start again."
        )


@contextlib.contextmanager
def _tidy(work):
    """Leave no folder behind from which nothing can be resumed."""
    try:
        yield
    finally:
        if not any(work.rglob("output.pkl")):
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _workers(address, n_jobs):
    """What `joblib.parallel_config` takes: the jobs of this machine, or a Dask cluster."""
    if address is None:
        yield {"n_jobs": n_jobs, "verbose": 0 if n_jobs in (None, 1) else 10}
        return
    with connected(address):
        yield {"backend": "dask", "verbose": 10}
