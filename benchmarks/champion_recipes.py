"""The lesion ensemble as it grows, part by part: the recipes of `benchmarks/champion.py`."""

from skad.scoring import make_lesion_ensemble
from skad.synthetic import Blobs, Lesions

UNDONE = {  # each part in the order of growth, and the parameters that undo it alone
    "ellipses": {},
    "lesions of all outlines and sizes": {"network__families": (Blobs(),)},
    "most of them bright on FLAIR": {"network__families": (Lesions(),)},
    "views of other scanners": {"network__augmentation__intensity": None},
    "conditional maps": {"network__inputs": ("image",)},
    "mirror image and atlas": {"network__inputs": ("image", "conditional")},
    "magnifications": {"network__zooms": ()},
}
WHOLE = "magnifications"  # the last part: nothing is undone


def path(contrasts):
    """Names of the recipes before the whole one."""
    return [name for name in UNDONE if name != WHOLE and (len(contrasts) > 1 or name != "conditional maps")]


def make_recipe(name, contrasts, **settings):
    """An unfitted ensemble, with the parts up to one.

    Parameters
    ----------
    name : str
        In `UNDONE`.
    contrasts : sequence of str
    **settings
        For :func:`skad.scoring.make_lesion_ensemble`.
    """
    ensemble = make_lesion_ensemble(contrasts, **settings)
    for part in reversed(UNDONE):
        if part == name:
            return ensemble
        parameters = dict(UNDONE[part])
        if len(contrasts) == 1 and "network__inputs" in parameters:
            parameters["network__inputs"] = ("image",)
        ensemble.set_params(**parameters)
    raise ValueError(f"There is no recipe {name!r}, but {', '.join(UNDONE)}.")
