"""What the checks compare: every output of an estimator, and errors with their message."""

import re

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

METHODS = ("transform", "reconstruct", "score_samples", "decision_function", "predict")


def outputs(estimator, X):
    """What every scoring method that the estimator has says about ``X``, by name."""
    return {method: getattr(estimator, method)(X) for method in METHODS if hasattr(estimator, method)}


def assert_equal_outputs(actual, expected, message):
    """Bit by bit the same outputs."""
    for method in expected:
        assert_array_equal(actual[method], expected[method], err_msg=f"{message} ({method})")


def assert_close_outputs(actual, expected, message):
    """The same outputs up to the rounding of float32; labels are left out, a rounding may flip them."""
    for method in expected.keys() - {"predict"}:
        scale = np.nanmax(np.abs(expected[method]), initial=0)
        assert_allclose(
            actual[method], expected[method], rtol=1e-3, atol=1e-4 * scale, err_msg=f"{message} ({method})"
        )


def assert_raises(error, pattern, call, message):
    """``call`` raises ``error`` with words that match ``pattern``."""
    try:
        call()
    except error as raised:
        assert re.search(pattern, str(raised)), f'{message} should say "{pattern}", said: {raised}'
    else:
        raise AssertionError(f"{message} should raise {error.__name__}, raised nothing.")


def assert_all_refuse(estimator, X, pattern, message):
    """Every scoring method of the fitted estimator raises a ValueError for ``X``."""
    for method in METHODS:
        if hasattr(estimator, method):
            assert_raises(
                ValueError, pattern, lambda m=method: getattr(estimator, m)(X), f"{method} of {message}"
            )
