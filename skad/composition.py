"""What the parts of a pipeline can do: make references, do without a contrast, learn from slices, be set."""

from collections.abc import Mapping
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skad.utils.names import check_name
from skad.utils.typing import Array


def reconstructor_in(estimator: Any) -> Any:
    """The part of a pipeline that makes pairs of images and normal references.

    Raises
    ------
    ValueError
        It has none.
    """
    if isinstance(estimator, FrozenEstimator):
        return reconstructor_in(estimator.estimator)
    if hasattr(estimator, "reconstruct"):
        return estimator
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        if hasattr(estimator[-1], "reconstruct"):
            return estimator
        reconstructor_in(estimator[-2])  # raises where the step before makes none
        return estimator[:-1]
    raise ValueError(
        f"{type(estimator).__name__} makes no reference: put a reconstructor before it, such as "
        "ContrastTranslator."
    )


def allows_missing_contrast(estimator: Any) -> bool:
    """Whether an estimator, or every step of a pipeline, can score without one of the contrasts (its tag)."""
    if isinstance(estimator, FrozenEstimator):
        return allows_missing_contrast(estimator.estimator)
    if isinstance(estimator, Pipeline):
        return all(allows_missing_contrast(step) for _, step in estimator.steps)
    return getattr(get_tags(estimator).input_tags, "missing_contrast", False)


def fit_to_slices(pipeline: Any, X: Array) -> Any:
    """Fit; what scikit-learn says of arrays with more than two axes gets its remedy.

    Raises
    ------
    ValueError
        As the pipeline, or that a detector of tables was given slices.
    """
    try:
        return pipeline.fit(X, None)  # FrozenEstimator insists on a y
    except ValueError as error:
        if "Found array with dim" not in str(error):
            raise
        raise ValueError(
            "A detector of scikit-learn or PyOD takes a table of pixels, got slices: wrap it in "
            "skad.scoring.SklearnScorer or PyODScorer."
        ) from error


def last_step(pipeline: Any) -> Any:
    """The scorer at the end of a pipeline, or the scorer itself."""
    return pipeline[-1] if isinstance(pipeline, Pipeline) else pipeline


def fitted_steps(detector: Any) -> dict[str, Any]:
    """Preprocessor and steps of the pipeline of a fitted detector of volumes, by name."""
    steps = getattr(detector.pipeline_, "steps", [("pipeline", detector.pipeline_)])
    return {"preprocessor": detector.preprocessor_, **dict(steps)}


def set_parameters(detector: Any, parameters: Mapping[str, Any]) -> Any:
    """Set parameters of a detector's steps, and check the values of all.

    A wrong value of the last step is found before the first one has trained for hours.

    Parameters
    ----------
    detector : VolumeAnomalyDetector
        With a Pipeline and a preprocessor. It is changed.
    parameters : dict of str to object
        By name, as in :func:`skad.methods.make_detector`.

    Returns
    -------
    detector
        The same.

    Raises
    ------
    ValueError
        There is no such parameter, or a value is not allowed.
    """
    keys = [key for key in detector.get_params() if "__" in key or key in detector._parameter_constraints]
    names = {key.removeprefix("pipeline__"): key for key in keys}
    values = {names[check_name(name, names, "parameter")]: value for name, value in parameters.items()}
    detector.set_params(**values)._validate_params()
    for step in (detector.preprocessor, *(step for _, step in detector.pipeline.steps)):
        step._validate_params()
    return detector
