"""Methods by name, and their parameters from the command line."""

import ast

from sklearn.pipeline import Pipeline

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


def _mixture(contrasts):
    """The tail of FLAIR given the T1-weighted contrasts: under a minute, and what networks have to beat."""
    scorer = ConditionalMixtureScorer.for_contrasts(contrasts)
    return VolumeAnomalyDetector(Pipeline([("score", scorer)]), preprocessor=VolumePreprocessor())


def _ensemble(contrasts):
    """Mixture tails and planted-lesion networks, on intensities that agree between scanners."""
    return VolumeAnomalyDetector(
        Pipeline([("score", make_lesion_ensemble(contrasts))]),
        preprocessor=VolumePreprocessor(intensity="whitematter"),
        slice_smoothing=1.0,
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


METHODS = {
    "mixture": _mixture,
    "ensemble": _ensemble,
    "adm": _adm,
    "introvae": _introvae,
    "planted": _planted,
}

GRIDS = {
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


def build_detector(
    method, contrasts=(), *, settings=(), seed=0, epochs=None, device="auto", jobs=None, verbose=False
):
    """The unfitted detector of a method.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    contrasts : sequence of str, default=()
        Names of the contrasts, for methods that know on which lesions are bright.
    settings : sequence of str
        ``"step__parameter=value"``; steps are those of the pipeline and ``preprocessor``.
    seed, epochs, device
        Go to every step that has ``random_state``, ``max_epochs``, ``device``; None leaves the default.
    jobs : int or None
        Subjects read at the same time.
    verbose : bool
        Progress bars.

    Raises
    ------
    ValueError
        An unknown method or parameter; the message offers the nearest one.
    """
    detector = METHODS[check_name(method, METHODS, "method")](contrasts)
    detector.set_params(verbose=verbose, preprocessor__n_jobs=jobs)
    shared = {"random_state": seed, "max_epochs": epochs, "device": device, "verbose": verbose}
    for name in detector.get_params():
        value = shared.get(name.rpartition("__")[2])
        if value is not None:
            detector.set_params(**{name: value})
    detector.set_params(**dict(_setting(text, detector) for text in settings))
    _check_values(detector)
    return detector


def _check_values(detector):
    """Find a wrong value in the last step before the first one has trained for hours."""
    for estimator in (detector.preprocessor, *(step for _, step in detector.pipeline.steps)):
        estimator._validate_params()


def _setting(text, detector):
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set {text} should look like step__parameter=value.")
    names = {key.removeprefix("pipeline__"): key for key in detector.get_params() if "__" in key}
    return names[check_name(name.strip(), names, "parameter")], value_of(value.strip())


def value_of(text):
    """A Python number, string, tuple, None, ...; what is none of these is text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
