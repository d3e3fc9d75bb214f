"""The methods by name, each as a detector to be trained, and what is worth tuning of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from skad.composition import set_parameters
from skad.detector import VolumeAnomalyDetector
from skad.preprocessing import VolumePreprocessor
from skad.reconstruction import ContrastTranslator, IntroVAEReconstructor, LatentSearchTransformer
from skad.scoring import (
    ConditionalMixtureScorer,
    JointDRGMM,
    PatchEmbeddingScorer,
    SyntheticAnomalyScorer,
    make_lesion_ensemble,
)
from skad.utils.names import check_name

__all__ = ["make_detector"]


def _mixture(contrasts):
    """The tail of FLAIR given the T1-weighted contrasts: under a minute, and what networks have to beat."""
    scorer = ConditionalMixtureScorer.for_contrasts(contrasts)
    return VolumeAnomalyDetector(
        Pipeline([("score", scorer)]), preprocessor=VolumePreprocessor(), prevalence_smoothing=24.0
    )


def _ensemble(contrasts):
    """Mixture tails and planted-lesion networks, on intensities that agree between scanners."""
    return VolumeAnomalyDetector(
        Pipeline([("score", make_lesion_ensemble(contrasts))]),
        preprocessor=VolumePreprocessor(intensity="whitematter"),
        slice_smoothing=1.0,
        prevalence_smoothing=24.0,
    )


def _adm(contrasts):
    """Kim et al., with their preprocessing."""
    pipeline = Pipeline([("reference", ContrastTranslator()), ("score", JointDRGMM())])
    return VolumeAnomalyDetector(pipeline, preprocessor=VolumePreprocessor())


def _introvae(contrasts):
    """Kobayashi et al., with their preprocessing."""
    reference = LatentSearchTransformer(IntroVAEReconstructor())
    return VolumeAnomalyDetector(
        Pipeline([("reference", reference), ("score", PatchEmbeddingScorer())]),
        preprocessor=VolumePreprocessor(voxel_size=1.0, size=(256, 256), intensity="whitematter"),
    )


def _planted(contrasts):
    """Planted lesions beside ADM's reference, with its preprocessing."""
    pipeline = Pipeline([("reference", ContrastTranslator()), ("score", SyntheticAnomalyScorer())])
    return VolumeAnomalyDetector(pipeline, preprocessor=VolumePreprocessor())


METHODS: dict[str, Callable[[Sequence[str]], VolumeAnomalyDetector]] = {
    "mixture": _mixture,
    "ensemble": _ensemble,
    "adm": _adm,
    "introvae": _introvae,
    "planted": _planted,
}

GRIDS: dict[str, dict[str, list[Any]]] = {
    "mixture": {"score__n_components": [2, 3, 4], "score__smoothing": [0.75, 1.5]},
    "ensemble": {"score__network__width": [8, 16], "score__network__dice": [0.0, 0.5]},
    "adm": {
        "score__energy_weight": [5e-4, 5e-3],
        "score__residual": ["absolute", "signed"],
        "score__smoothing": [0.0, 1.5],
    },
    "introvae": {"score__margin": [0.5, 1.0], "score__patch_size": [16, 32]},
    "planted": {
        "score__inputs": [("image", "reference"), ("image", "reference", "conditional")],
        "score__width": [8, 16],
    },
}
"""What ``skad tune`` tries by default: the scorers' parameters, so that no reconstructor is trained twice."""


def make_detector(
    method: str,
    contrasts: Sequence[str] = (),
    *,
    parameters: Mapping[str, Any] | None = None,
    random_state: int | None = 0,
    max_epochs: int | None = None,
    device: str = "auto",
    n_jobs: int | None = None,
    verbose: bool = False,
) -> VolumeAnomalyDetector:
    """The unfitted detector of a method.

    Parameters
    ----------
    method : {"mixture", "ensemble", "adm", "introvae", "planted"}
        Name in `METHODS`.
    contrasts : sequence of str, default=()
        Names of the contrasts, for methods that know on which lesions are bright.
    parameters : dict of str to object, default=None
        Values of single parameters, as ``{"score__n_components": 4, "preprocessor__size": (64, 64)}``; steps
        are those of the pipeline and ``preprocessor``. ``slice_smoothing``, ``prevalence_smoothing`` and
        ``context`` are the detector's own.
    random_state : int or None, default=0
        Seed of every step that has one; None leaves the defaults.
    max_epochs : int, default=None
        Epochs of every step that is trained in epochs; None leaves the defaults.
    device : str, default="auto"
        Of every step with a network: "auto", "cpu", "cuda", "cuda:1".
    n_jobs : int or None, default=None
        Subjects read at the same time.
    verbose : bool, default=False
        Whether to show progress bars.

    Returns
    -------
    VolumeAnomalyDetector

    Raises
    ------
    ValueError
        There is no such method or parameter (the message offers the nearest one), or a value is not allowed.

    See Also
    --------
    skad.persistence.ResumableFit : Train it into a file, in a run that may be interrupted.

    Examples
    --------
    >>> from skad.methods import make_detector
    >>> detector = make_detector("adm", parameters={"score__n_components": 4}, max_epochs=10)
    >>> [name for name, step in detector.pipeline.steps], detector.pipeline["score"].n_components
    (['reference', 'score'], 4)
    >>> make_detector("amd")
    Traceback (most recent call last):
    ValueError: There is no method 'amd': did you mean adm?
    """
    detector = METHODS[check_name(method, METHODS, "method")](contrasts)
    detector.set_params(verbose=verbose, preprocessor__n_jobs=n_jobs)
    shared = {
        "random_state": random_state,
        "max_epochs": max_epochs,
        "device": device,
        "verbose": verbose,
    }
    for name in detector.get_params():
        value = shared.get(name.rpartition("__")[2])
        if value is not None:
            detector.set_params(**{name: value})
    return set_parameters(detector, parameters or {})
