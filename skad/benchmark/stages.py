"""The steps of a study: a reference is fitted; a method is fitted and judged. Each in its own process."""

import shutil
import time
import warnings

import numpy as np
import torch

from skad.benchmark.components import fitted_in
from skad.benchmark.parameters import count_parameters
from skad.benchmark.results import curve_rows, fold_rows, write_rows
from skad.benchmark.slices import CohortSlices
from skad.evaluation import ScoreProbability, evaluate_slices, why_collapsed
from skad.metrics import ScoreHistogram, UndefinedScoreError, foreground_best_dice_threshold
from skad.persistence import load, save
from skad.reconstruction.collapse import CollapseWarning
from skad.training import checkpoint_in

_BLOCK = 256  # slices whose references are made at a time
_LOOKED_AT = 64  # slices whose references tell whether there are any
FITTED = "fitted.skad"


def fit_reference(component, seed, cohort, needed, folder):
    """Fit a reconstructor on normal slices; write it and the pairs of all folds.

    Parameters
    ----------
    component : Component
    seed : int
    cohort : pathlib.Path
        Folder of the slices.
    needed : dict of str to pathlib.Path
        Folders of the references and methods that it needs.
    folder : pathlib.Path
        For what it writes.

    Returns
    -------
    dict
        "fit_seconds", "score_seconds" per fold, "parameters", "collapsed" (a reason or None), "resumed".
    """
    slices = CohortSlices(cohort)
    estimator, cost = _fit(component, seed, slices, needed, folder)
    for fold in ("train", *slices.scored):
        start = time.perf_counter()
        _write_pairs(estimator, _inputs(component, slices, needed, fold), folder / f"{fold}.npy")
        cost["score_seconds"][fold] = time.perf_counter() - start
    _keep(estimator, folder)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return cost


def score_method(component, seed, cohort, needed, folder, step, needed_later=False):
    """Fit a method on normal slices, score the other folds, and write the rows of its results.

    Parameters
    ----------
    component, seed, cohort, needed, folder
        As of :func:`fit_reference`.
    step : int
        Width of a range of lesion sizes, pixels.
    needed_later : bool, default=False
        Whether other methods need the fitted one: then a detector that a skad file cannot hold is an error.

    Returns
    -------
    dict
        As of :func:`fit_reference`.
    """
    slices = CohortSlices(cohort)
    estimator, cost = _fit(component, seed, slices, needed, folder)
    tables, chosen = {}, {"threshold": float("nan"), "probability": None}
    for fold in slices.scored:  # the validation fold comes first
        start = time.perf_counter()
        anomaly = -estimator.score_samples(_inputs(component, slices, needed, fold))
        cost["score_seconds"][fold] = time.perf_counter() - start
        y = np.asarray(slices.y(fold))
        if fold == "validation":
            chosen = _chosen(y, anomaly)
        cost["collapsed"] = cost["collapsed"] or why_collapsed(estimator, [anomaly])
        found = evaluate_slices(y, anomaly, **slices.scans(fold), **chosen, size_step=step)
        for name, rows in fold_rows(fold, found).items():
            tables.setdefault(name, []).extend(rows)
    for name, rows in tables.items():
        write_rows(rows, folder / f"{name}.csv")
    try:
        _keep(estimator, folder)
    except ValueError:
        if needed_later:
            raise
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return cost


def _chosen(y, anomaly):
    """What the validation fold is for: the threshold with the best Dice, and scores as probabilities."""
    try:
        threshold = foreground_best_dice_threshold(y, anomaly)
        probability = ScoreProbability().fit(ScoreHistogram().update(y, anomaly))
    except UndefinedScoreError:
        return {"threshold": float("nan"), "probability": None}
    return {"threshold": threshold, "probability": probability}


def curves_of_checkpoints(folder):
    """Losses of the trainings in a folder up to the last finished epoch, by name of the checkpoint."""
    paths = sorted(folder.glob("*.pt"))
    return {path.stem: torch.load(path, map_location="cpu", weights_only=True)["curves"] for path in paths}


def _fit(component, seed, slices, needed, folder):
    """The fitted estimator and what it cost; the losses are written even when training stops on the way."""
    checkpoints = folder / "checkpoints"
    resumed = checkpoints.exists()
    fitted = {name: load(needed[name] / FITTED) for name in fitted_in(component.table)}
    estimator = component.build(seed, fitted)
    X = _inputs(component, slices, needed, "train")
    with warnings.catch_warnings(record=True) as caught, checkpoint_in(checkpoints):
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            estimator.fit(X)
        finally:
            seconds = time.perf_counter() - start
            write_rows(curve_rows(curves_of_checkpoints(checkpoints)), folder / "curves.csv")
    warned = [str(each.message) for each in caught if issubclass(each.category, CollapseWarning)]
    return estimator, {
        "fit_seconds": seconds,
        "score_seconds": {},
        "parameters": count_parameters(estimator),
        "collapsed": why_collapsed(estimator, warned=warned, pairs=_some_pairs(estimator, X)),
        "resumed": resumed,
    }


def _some_pairs(estimator, X):
    """Of a reconstructor on some of the slices that it learned from; None of a scorer."""
    if not hasattr(estimator, "reconstruct"):
        return None
    return estimator.transform(np.array(X[:: -(-len(X) // _LOOKED_AT)]))


def _keep(estimator, folder):
    """Save a fitted estimator; that callbacks are not saved with it need not be told."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="callbacks of .* are not saved")
        save(estimator, folder / FITTED)


def _inputs(component, slices, needed, fold):
    """Pairs with the method's reference, or images."""
    if component.reference is None:
        return slices.X(fold)
    return np.load(needed[component.reference] / f"{fold}.npy", mmap_mode="r")


def _write_pairs(estimator, X, path):
    pairs = None
    for start in range(0, len(X), _BLOCK):
        block = estimator.transform(X[start : start + _BLOCK])
        if pairs is None:
            pairs = np.lib.format.open_memmap(path, "w+", np.float32, (len(X), *block.shape[1:]))
        pairs[start : start + _BLOCK] = block
    pairs.flush()
