"""The rows of the glioma table: what is trained for each, and the references they share."""

from collections.abc import Callable
from dataclasses import dataclass

from skorch.callbacks import LRScheduler

from skad.augmentation import Augmentation, Geometry, Intensity
from skad.reconstruction import ContrastTranslator
from skad.scoring import IntensityScorer, JointDRGMM, MixtureScorer, ResidualScorer

FLAIR = 1


@dataclass
class Row:
    """A line of the table: a scorer, and the reference it compares with."""

    title: str
    scorer: Callable  # seed -> estimator
    reference: str | None = None
    n_seeds: int = 3
    ensemble: bool = False


def _translator(seed, *, max_epochs=15, cosine=True, **parameters):
    schedule = [LRScheduler("CosineAnnealingLR", T_max=max_epochs)] if cosine else None
    settings = {
        "width": 16,
        "max_epochs": max_epochs,
        "precision": "bf16",
        "callbacks": schedule,
        **parameters,
    }
    return ContrastTranslator(random_state=seed, **settings)


REFERENCES = {
    "translation": _translator,
    "constant": lambda seed: _translator(seed, max_epochs=20, cosine=False),
    "instance": lambda seed: _translator(seed, normalization="instance"),
    "narrow": lambda seed: _translator(seed, width=8),
    "narrow-augmented": lambda seed: _translator(
        seed,
        width=8,
        augmentation=Augmentation(Geometry(scaling=0.1, translation=0.05), Intensity(scaling=0.1)),
    ),
}


def _drgmm(**parameters):
    return lambda seed: JointDRGMM(
        **{"max_epochs": 10, "precision": "bf16", "random_state": seed, **parameters}
    )


def _brighter_flair(seed):
    return ResidualScorer(sign=1, contrasts=[FLAIR], smoothing=1.5)


def _adm(title, **parameters):
    return Row(title, _drgmm(**parameters), reference="translation")


BEST = {"residual": "signed", "smoothing": 2.5, "scale_residual": True}

ROWS = {
    # floors
    "flair": Row("FLAIR intensity", lambda seed: IntensityScorer(contrast=FLAIR, smoothing=0), n_seeds=1),
    "smooth-flair": Row(
        "FLAIR intensity, smoothed (1.5 px)", lambda seed: IntensityScorer(contrast=FLAIR), n_seeds=1
    ),
    "mixture": Row("mixture on the three intensities", lambda seed: MixtureScorer(random_state=seed)),
    # the paper's variants
    "adm": _adm("ADM"),
    "adm-ct": _adm("ADM_ct", features="residual"),
    "adm-dr": Row("ADM_dr", _drgmm(features="latent")),
    "adm-woj": _adm("ADM_woj", joint=False),
    "adm-signed": _adm("ADM, signed residuals", residual="signed"),
    "adm-ct-signed": _adm("ADM_ct, signed residuals", residual="signed", features="residual"),
    "adm-woj-signed": _adm("ADM_woj, signed residuals", residual="signed", joint=False),
    # step by step
    "adm-ct-smooth": _adm(
        "ADM_ct, signed, residuals smoothed (2.5 px)", residual="signed", features="residual", smoothing=2.5
    ),
    "adm-ct-scaled": _adm("ADM_ct, signed, smoothed, uncertainty-scaled", features="residual", **BEST),
    "adm-scaled": Row(
        "ADM, signed, smoothed, uncertainty-scaled", _drgmm(**BEST), "translation", ensemble=True
    ),
    "brighter": Row(
        "FLAIR brighter than its translation, smoothed (1.5 px)",
        _brighter_flair,
        "translation",
        ensemble=True,
    ),
    # what the reference is worth, by the last score
    "constant": Row(
        "the same, constant learning rate, 20 epochs instead of 15", _brighter_flair, "constant", n_seeds=2
    ),
    "instance": Row(
        "the same, instance instead of batch normalisation", _brighter_flair, "instance", n_seeds=1
    ),
    "narrow": Row("the same, width 8 instead of 16", _brighter_flair, "narrow", n_seeds=1),
    "narrow-augmented": Row(
        "width 8; flips, affines, intensities augmented", _brighter_flair, "narrow-augmented", n_seeds=1
    ),
}
