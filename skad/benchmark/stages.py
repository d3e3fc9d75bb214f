"""The steps of a study: a reference is fitted; a method is fitted and judged. Each in its own process."""

import shutil
import time
import warnings

import numpy as np
import torch

from skad.benchmark.components import fitted_in
from skad.benchmark.fidelity import fidelity_rows
from skad.benchmark.judging import judge, try_out
from skad.benchmark.parameters import count_parameters
from skad.benchmark.results import curve_rows, write_rows
from skad.benchmark.slices import CohortSlices
from skad.evaluation import why_collapsed
from skad.evaluation.collapse import CollapseWarning
from skad.persistence import load, save
from skad.preprocessing.growing import RowFile
from skad.training import checkpoint_in

_BLOCK = 256  # slices whose references are made at a time
_LOOKED_AT = 64  # slices whose references tell whether there are any
FITTED = "fitted.skad"


def fit_reference(component, seed, cohort, needed, folder, segmenter=None):
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
    segmenter : pathlib.Path, default=None
        Folder of the network that judges references; None does not judge them.

    Returns
    -------
    dict
        "fit_seconds", "score_seconds" per fold, "parameters", "collapsed" (a reason or None), "resumed".
    """
    slices = CohortSlices(cohort)
    estimator, cost = _fit(component, seed, slices, needed, folder)
    slices = slices.scorable_by(estimator)
    fidelity = []
    for fold in ("train", *slices.scored):
        start = time.perf_counter()
        pairs = _write_pairs(estimator, _inputs(component, slices, needed, fold), folder / f"{fold}.npy")
        cost["score_seconds"][fold] = time.perf_counter() - start
        if segmenter is not None and fold != "train":
            fidelity += fidelity_rows(segmenter, pairs, fold)
    write_rows(fidelity, folder / "fidelity.csv")
    _keep(estimator, folder)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return cost


def score_method(component, seed, cohort, needed, folder, judging, needed_later=False):
    """Fit a method on normal slices, score the other folds, and write the rows of its results.

    Parameters
    ----------
    component, seed, cohort, needed, folder
        As of :func:`fit_reference`.
    judging : Judging
        What is measured.
    needed_later : bool, default=False
        Whether other methods need the fitted one: then a detector that a skad file cannot hold is an error.

    Returns
    -------
    dict
        As of :func:`fit_reference`; "score" of a configuration that was only tried.
    """
    slices = CohortSlices(cohort)
    estimator, cost = _fit(component, seed, slices, needed, folder)
    reference = component.reference and load(needed[component.reference] / FITTED)
    slices = slices.scorable_by(estimator, *([reference] if reference else []))

    def maps_of(fold):
        start = time.perf_counter()
        anomaly = -estimator.score_samples(_inputs(component, slices, needed, fold))
        cost["score_seconds"][fold] = time.perf_counter() - start
        cost["collapsed"] = cost["collapsed"] or why_collapsed(estimator, [anomaly])
        return anomaly

    if judging.tuned_on is not None:
        cost["score"] = try_out(judging, estimator, reference, slices, maps_of)
    else:
        judge(judging, estimator, reference, slices, maps_of, folder)
    try:
        _keep(estimator, folder)
    except ValueError:
        if needed_later:
            raise
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return cost


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
    with RowFile(path, (2, *X.shape[-3:]), np.float32) as pairs:
        for start in range(0, len(X), _BLOCK):
            pairs.append(estimator.transform(X[start : start + _BLOCK]))
    return pairs.result()
