"""Checks of the results: background, invariance, and the contracts of reconstructors and scorers."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone

from skad.utils.estimator_checks.assertions import (
    METHODS,
    assert_close_outputs,
    assert_equal_outputs,
    outputs,
)


def check_shapes_and_dtypes(estimator, data):
    """Maps are (n, height, width), references (n, C, height, width), all float32 and in memory order."""
    n, c, height, width = data.images.shape
    for method, output in outputs(data.fitted(estimator), data.X).items():
        shape = {"transform": (n, *output.shape[1:-2], height, width), "reconstruct": (n, c, height, width)}
        assert output.shape == shape.get(method, (n, height, width)), f"{method} has shape {output.shape}."
        kind = "i" if method == "predict" else "f"
        assert output.dtype.kind == kind and output.itemsize <= 4, f"{method} has dtype {output.dtype}."


def check_background(estimator, data):
    """Outputs are NaN (labels 0) exactly in the background."""
    for method, output in outputs(data.fitted(estimator), data.X).items():
        visible = output != 0 if method == "predict" else np.isfinite(output)
        foreground = data.foreground.reshape(len(output), *[1] * (output.ndim - 3), *output.shape[-2:])
        assert (visible == foreground).all(), f"{method} should be NaN (labels 0) exactly in the background."


def check_subset_invariance(estimator, data):
    """A slice scores the same alone and among others."""
    fitted = data.fitted(estimator)
    parts = [outputs(fitted, data.X[i : i + 1]) for i in range(len(data.X))]
    joined = {method: np.concatenate([part[method] for part in parts]) for method in parts[0]}
    assert_close_outputs(joined, outputs(fitted, data.X), "a slice alone scores differently")


def check_order_invariance(estimator, data):
    """The order of the slices does not matter at score time."""
    fitted = data.fitted(estimator)
    backwards = {method: output[::-1] for method, output in outputs(fitted, data.X[::-1]).items()}
    assert_close_outputs(backwards, outputs(fitted, data.X), "the order of the slices matters")


def check_scoring_twice(estimator, data):
    """Scoring changes nothing: the second time gives the same."""
    fitted = data.fitted(estimator)
    first, names = outputs(fitted, data.X), set(vars(fitted))
    assert_equal_outputs(outputs(fitted, data.X), first, "scoring again differs")
    assert set(vars(fitted)) == names, "Scoring should add no attributes."


def check_fit_and_score_in_one(estimator, data):
    """``fit_transform`` and ``fit_predict`` are ``fit`` followed by the other."""
    expected = outputs(data.fitted(estimator), data.X)
    for method in METHODS:
        if hasattr(estimator, f"fit_{method}"):
            actual = getattr(clone(estimator), f"fit_{method}")(data.X)
            assert_array_equal(actual, expected[method], err_msg=f"fit_{method} differs")


def check_no_data_frames(estimator, data):
    """scikit-learn's setting for data frames does not touch images."""
    with config_context(transform_output="pandas"):
        result = data.fitted(estimator).transform(data.X)
    assert isinstance(result, np.ndarray), f"transform should give an array, gave {type(result)}."


def check_pair_contract(estimator, data):
    """``transform`` is the image and its reference, the score minus their mean absolute residual."""
    results = outputs(data.fitted(estimator), data.X)
    pairs, reference = results["transform"], results["reconstruct"]
    assert pairs.shape == (len(data.images), 2, *data.images.shape[1:]), f"transform gives {pairs.shape}."
    assert_array_equal(pairs[:, 0], data.images, err_msg="transform(X)[:, 0] should be X")
    assert_array_equal(pairs[:, 1], reference, err_msg="transform(X)[:, 1] should be reconstruct(X)")
    residual = np.abs(data.images - reference).mean(axis=1)
    assert_allclose(results["score_samples"], -residual, rtol=1e-5, atol=1e-6)


def check_sign(estimator, data):
    """``decision_function`` is ``score_samples - offset_``, ``predict`` its sign: -1 abnormal, 1 normal."""
    fitted = data.fitted(estimator)
    results = outputs(fitted, data.X)
    assert isinstance(fitted.offset_, float), f"offset_ should be a float, is {type(fitted.offset_)}."
    expected = results["score_samples"] - np.float32(fitted.offset_)
    assert_allclose(results["decision_function"], expected, rtol=1e-6)
    labels = np.where(data.foreground, np.where(results["decision_function"] < 0, -1, 1), 0)
    assert_array_equal(results["predict"], labels)


def check_contamination(estimator, data):
    """``contamination`` is the share of the training foreground that is called abnormal."""
    for share in (0.0, 0.2):
        labels = clone(estimator).set_params(contamination=share).fit(data.X).predict(data.X)
        actual = (labels[data.foreground] == -1).mean()
        assert abs(actual - share) < 0.02, (
            f"contamination={share} calls {actual:.3f} of the foreground abnormal."
        )
