"""Checks of what ``X`` may be: kinds of arrays, sizes, NaN and infinity."""

import re
import tempfile
from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.utils import get_tags

from skad.utils.estimator_checks.assertions import (
    assert_all_refuse,
    assert_close_outputs,
    assert_equal_outputs,
    assert_raises,
    outputs,
)
from skad.utils.estimator_checks.data import as_pairs


def check_wrong_ndim(estimator, data):
    """Two, three and six axes are refused with the shape that came."""
    fitted = data.fitted(estimator)
    for X in (data.images[:, 0, 0], data.images[:, 0], data.images[None, None]):
        pattern = ", ".join(map(str, X.shape))
        assert_raises(ValueError, pattern, lambda X=X: clone(estimator).fit(X), f"fit on {X.ndim} axes")
        assert_all_refuse(fitted, X, pattern, f"{X.ndim} axes")


def check_wrong_kind_of_input(estimator, data):
    """Pairs are refused by estimators of images, images by estimators of pairs, told by the tags."""
    tags = get_tags(estimator).input_tags
    if getattr(tags, "pairs", False) and getattr(tags, "images", True):
        return
    X = data.images if data.pairs else np.stack([data.images, data.images], axis=1)
    assert_raises(ValueError, "shape", lambda: clone(estimator).fit(X), "fit on the other kind of input")
    assert_all_refuse(data.fitted(estimator), X, "shape", "the other kind of input")


def check_images_after_pairs(estimator, data):
    """Who takes both forms scores, and warm-starts on, the one after the other, or says which one came."""
    tags = get_tags(estimator).input_tags
    if not (getattr(tags, "pairs", False) and getattr(tags, "images", True)):
        return
    X = data.images if data.pairs else as_pairs(data.images)
    pattern = "(?i)pairs|images"
    assert _works_or_explains(data.fitted(estimator), X, pattern, fit=False)
    if "warm_start" in estimator.get_params(deep=False):
        assert _works_or_explains(data.fitted(estimator).set_params(warm_start=True), X, pattern)


def check_wrong_n_contrasts(estimator, data):
    """Another number of contrasts than in fit is refused with both numbers."""
    X = data.more(n_contrasts=3)
    assert_all_refuse(data.fitted(estimator), X, r"3 contrasts.*\b2\b", "3 contrasts after a fit with 2")


def check_empty_input(estimator, data):
    """No samples, or no pixels."""
    fitted = data.fitted(estimator)
    for X in (data.X[:0], data.X[..., :0]):
        assert_raises(ValueError, "at least one", lambda X=X: clone(estimator).fit(X), "fit on empty input")
        assert_all_refuse(fitted, X, "at least one", "empty input")


def check_infinity(estimator, data):
    """Infinity, and float64 values beyond float32, are refused with the number of the slice."""
    fitted = data.fitted(estimator)
    for value in (np.inf, -np.inf, 1e300):
        X = data.X.astype(np.float64)
        X[(2, 0, 0) if data.pairs else (2, 0)] = value
        assert_raises(ValueError, "2.*infinity", lambda X=X: clone(estimator).fit(X), f"fit on {value}")
        assert_all_refuse(fitted, X, "2.*infinity", f"{value}")


def check_nan_in_some_contrasts(estimator, data):
    """NaN in one contrast of a foreground pixel is neither background nor a missing contrast."""
    X = data.X.copy()
    row, column = np.argwhere(data.foreground[1])[0]
    X[(1, 0, 0, row, column) if data.pairs else (1, 0, row, column)] = np.nan
    assert_raises(ValueError, "1.*NaN", lambda: clone(estimator).fit(X), "fit on NaN in one contrast")
    assert_all_refuse(data.fitted(estimator), X, "1.*NaN", "NaN in one contrast")


def check_content_that_is_no_number(estimator, data):
    """Strings, objects and complex numbers are refused."""
    fitted = data.fitted(estimator)
    for dtype in (str, object, complex):
        X = data.X.astype(dtype)
        assert_raises(ValueError, "real numbers", lambda X=X: clone(estimator).fit(X), f"fit on {dtype}")
        assert_all_refuse(fitted, X, "real numbers", str(dtype))


def check_dtypes(estimator, data):
    """Any real dtype gives what its float32 copy gives."""
    whole = np.rint(20 * np.nan_to_num(data.X) + 100)  # integers know no NaN
    half = data.X.astype(np.float16)
    for values, dtypes in ((data.X, [np.float64]), (half, [np.float16]), (whole, [np.int16, np.uint8])):
        single = values.astype(np.float32)
        expected = outputs(clone(estimator).fit(single), single)
        for X in map(values.astype, dtypes):
            actual = outputs(clone(estimator).fit(X), X)
            assert_equal_outputs(actual, expected, f"{X.dtype} differs from float32")


def check_lists_and_strides(estimator, data):
    """Nested lists, and arrays that are not C-contiguous, give what a C-contiguous array gives."""
    fitted = data.fitted(estimator)
    expected = outputs(fitted, data.X)
    assert_equal_outputs(outputs(fitted, data.X.tolist()), expected, "nested lists differ")
    assert_equal_outputs(
        outputs(clone(estimator).fit(np.asfortranarray(data.X)), data.X), expected, "F order differs"
    )
    assert_equal_outputs(outputs(fitted, data.X[..., ::-1][..., ::-1]), expected, "a view differs")


def check_memmap(estimator, data):
    """A read-only memory map gives what the same array in memory gives, and is left as it was."""
    expected = outputs(data.fitted(estimator), data.X)
    with tempfile.TemporaryDirectory() as folder:
        for dtype in (np.float32, np.float64):
            path = Path(folder) / f"{np.dtype(dtype)}.npy"
            np.save(path, data.X.astype(dtype))
            X = np.load(path, mmap_mode="r")
            actual = outputs(clone(estimator).fit(X), X)
            assert_close_outputs(actual, expected, f"a {X.dtype} memory map differs")
            assert_array_equal(np.load(path), data.X, err_msg="The memory map was changed")
            del X


def check_missing_contrast(estimator, data):
    """A contrast missing from a slice is scored by estimators with the tag, refused by others and in fit."""
    images, X = data.images.copy(), data.X.copy()
    images[1, 0] = np.nan
    X[(1, 0, 0) if data.pairs else (1, 0)] = np.nan
    assert_raises(ValueError, "1.*contrast 0", lambda: clone(estimator).fit(X), "fit on a missing contrast")
    tags, fitted = get_tags(estimator).input_tags, data.fitted(estimator)
    if not getattr(tags, "missing_contrast", False):
        assert_all_refuse(fitted, X, "1.*contrast 0", "a missing contrast")
    elif data.pairs or not getattr(
        tags, "pairs", False
    ):  # images where pairs are possible lack their reference
        _assert_missing_is_scored(fitted, data, X)


def _assert_missing_is_scored(fitted, data, X):
    whole, actual = outputs(fitted, data.X), outputs(fitted, X)
    others = np.arange(len(X)) != 1
    assert_close_outputs(
        {method: output[others] for method, output in actual.items()},
        {method: output[others] for method, output in whole.items()},
        "A missing contrast changes other slices",
    )
    scores = actual["score_samples"][1]
    assert_array_equal(
        np.isfinite(scores), data.foreground[1], err_msg="scores of a slice that lacks a contrast"
    )
    if hasattr(fitted, "reconstruct"):
        finite = np.isfinite(actual["transform"][1, 1]).all(axis=0)
        assert_array_equal(finite, data.foreground[1], err_msg="reference of a slice that lacks a contrast")


def check_only_background(estimator, data):
    """Nothing to learn from is an error; nothing to score gives NaN."""
    X = np.full_like(data.X, np.nan)
    assert_raises(ValueError, "foreground", lambda: clone(estimator).fit(X), "fit on background only")
    for method, output in outputs(data.fitted(estimator), X).items():
        empty = output == 0 if method == "predict" else np.isnan(output)
        assert empty.all(), f"{method} of background only should be {'0' if method == 'predict' else 'NaN'}."


def check_one_slice(estimator, data):
    """One slice is enough, or a ValueError says what is needed; scoring one slice always works."""
    assert _works_or_explains(clone(estimator), data.X[:1], "sample|slice")
    for method, output in outputs(data.fitted(estimator), data.X[:1]).items():
        assert len(output) == 1, f"{method} of one slice should have one entry."


def check_constant_images(estimator, data):
    """Images without any contrast give finite scores, or a ValueError says so."""
    X = np.where(np.isnan(data.X), np.nan, np.float32(0.5))
    assert _works_or_explains(clone(estimator), X, "")


def check_other_image_size(estimator, data):
    """Slices of another size than in fit are scored, or a ValueError names the size."""
    X = np.ascontiguousarray(np.swapaxes(data.X, -1, -2))
    try:
        scores = data.fitted(estimator).score_samples(X)
    except ValueError as error:
        assert str(X.shape[-2]) in str(error), f"The message should name the size that came, said: {error}"
    else:
        assert scores.shape == (len(X), *X.shape[-2:])


def _works_or_explains(estimator, X, pattern, *, fit=True):
    """Whether the scores are finite in the foreground, or a ValueError has words that match ``pattern``."""
    try:
        scores = (estimator.fit(X) if fit else estimator).score_samples(X)
    except ValueError as error:
        return bool(str(error)) and re.search(pattern, str(error)) is not None
    images = X[:, 0] if X.ndim == 5 else X
    return bool(np.isfinite(scores[~np.isnan(images).all(axis=1)]).all())
