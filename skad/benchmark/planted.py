"""Scores that need no label: lesions planted into normal slices, found by a fitted method."""

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skad.benchmark.components import build
from skad.model_selection import PseudoAnomalyScorer
from skad.model_selection.pseudo_anomaly import FAMILIES


def planted_rows(judging, estimator, reference, slices):
    """Average precision on every family of planted lesions and on those of skad mixed.

    Parameters
    ----------
    judging : dict
        "n_slices" to plant into; "families": tables of more of them, by name.
    estimator : estimator
        Fitted, of pairs where there is a reference.
    reference : reconstructor or None
        Fitted.
    slices : CohortSlices

    Returns
    -------
    list of dict
        "family" and "score".
    """
    detector = on_images(estimator, reference)
    X, patients = slices.normal()
    options = {"n_slices": judging["n_slices"], "random_state": 0}
    more = {name: build(table, seed=0) for name, table in judging["families"].items()}
    scorer = PseudoAnomalyScorer(families=FAMILIES, per_family=True, **options)
    scores = scorer.score(detector, X, groups=patients)
    for name, family in more.items():
        scores[name] = PseudoAnomalyScorer(families={name: family}, **options).score(
            detector, X, groups=patients
        )
    return [{"family": name, "score": score} for name, score in scores.items()]


def mixed_score(estimator, reference, slices):
    """Average precision on planted lesions of all families of skad."""
    X, patients = slices.normal()
    return PseudoAnomalyScorer().score(on_images(estimator, reference), X, groups=patients)


def on_images(estimator, reference):
    """A fitted method as a detector of images."""
    if reference is None:
        return estimator
    return make_pipeline(FrozenEstimator(reference), FrozenEstimator(estimator))
