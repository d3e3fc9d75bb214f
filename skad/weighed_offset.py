"""The threshold of maps that are weighed by the prevalence of lesions, from training slices."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skad.composition import last_step
from skad.postprocessing import add_local_prevalence
from skad.utils.typing import Array


def weighed_offset(pipeline: Any, X: Array, pixel_size: tuple[float, float], sigma: float) -> float | None:
    """The score below which as many training pixels lie as the scorer is to call abnormal.

    An ensemble that was cross-fitted scores each slice by the fits that have not seen it.

    Parameters
    ----------
    pipeline : estimator
        A scorer, or a pipeline that ends in one, fitted to `X`.
    X : ndarray
        Normal slices; each is taken for a volume.
    pixel_size : (float, float)
        Height and width of a pixel, mm.
    sigma : float
        As in :func:`skad.postprocessing.add_local_prevalence`, mm.

    Returns
    -------
    float or None
        None where the scorer calls nothing abnormal.
    """
    scorer = last_step(pipeline)
    if not hasattr(scorer, "offset_") or not hasattr(scorer, "_scores_as_new"):
        return None
    if isinstance(pipeline, Pipeline) and len(pipeline) > 1:
        X = pipeline[:-1].transform(X)
    maps = -scorer._scores_as_new(X)
    weighed = [add_local_prevalence(each[None], np.zeros(1), pixel_size, sigma) for each in maps]
    return -float(np.nanquantile(np.concatenate(weighed), 1 - scorer.contamination))
