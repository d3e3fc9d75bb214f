"""Checks of ``fit``: what it returns, keeps, learns, and leaves alone."""

import contextlib
import inspect
import io
import pickle
import random

import numpy as np
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skad.utils.estimator_checks.assertions import (
    METHODS,
    assert_close_outputs,
    assert_equal_outputs,
    assert_raises,
    outputs,
)


def check_unfitted(estimator, data):
    """Every scoring method raises NotFittedError before fit."""
    for method in METHODS:
        if hasattr(estimator, method):
            score = getattr(clone(estimator), method)
            assert_raises(NotFittedError, "", lambda score=score: score(data.X), f"{method} before fit")


def check_fit_returns_self(estimator, data):
    """``fit`` returns the estimator."""
    estimator = clone(estimator)
    assert estimator.fit(data.X) is estimator, "fit should return self."


def check_fit_ignores_y(estimator, data):
    """``fit`` has a second argument ``y`` and never reads it."""
    assert list(inspect.signature(estimator.fit).parameters)[1] == "y", (
        "fit should take y as second argument."
    )
    labels = np.zeros(data.foreground.shape, dtype=np.int64)
    labels[:3] = 1
    actual = outputs(clone(estimator).fit(data.X, labels), data.X)
    assert_equal_outputs(actual, outputs(data.fitted(estimator), data.X), "fit reads y")


def check_fit_keeps_params(estimator, data):
    """``fit`` changes no parameter, and what it learns ends with an underscore."""
    estimator = clone(estimator)
    before = {name: (value, repr(value)) for name, value in estimator.get_params().items()}
    known = set(vars(estimator))
    estimator.fit(data.X)
    for name, value in estimator.get_params().items():
        assert value is before[name][0] and repr(value) == before[name][1], f"fit should not change {name}."
    public = {name for name in vars(estimator) if not (name.endswith("_") or name.startswith("_"))}
    assert public <= known, f"What fit learns should end with an underscore, got {public - known}."


def check_fit_keeps_data(estimator, data):
    """Neither ``fit`` nor scoring writes into ``X``; both take a read-only array."""
    X = data.X.copy()
    outputs(clone(estimator).fit(X), X)
    assert_array_equal(X, data.X, err_msg="X was changed")
    X.flags.writeable = False
    outputs(clone(estimator).fit(X), X)


def check_fit_keeps_global_random_state(estimator, data):
    """Python's, numpy's and torch's generators are left where they were."""

    def states():
        return pickle.dumps((random.getstate(), np.random.get_state(), torch.get_rng_state().numpy()))  # noqa: NPY002

    before = states()
    fitted = clone(estimator).fit(data.X)
    assert states() == before, "fit should leave the global random generators as they were."
    outputs(fitted, data.X)
    assert states() == before, "Scoring should leave the global random generators as they were."


def check_fit_idempotent(estimator, data):
    """A second ``fit`` of the same estimator gives the same, whatever it was fitted on before."""
    expected = outputs(data.fitted(estimator), data.X)
    again = clone(estimator).fit(data.more(seed=1)).fit(data.X)
    assert_equal_outputs(outputs(again, data.X), expected, "a second fit differs")


def check_same_seed_same_result(estimator, data):
    """Two estimators with the same ``random_state`` agree, whatever the global generators say."""
    expected = outputs(data.fitted(estimator), data.X)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        actual = outputs(clone(estimator).fit(data.X), data.X)
    assert_equal_outputs(actual, expected, "the same seed gives another result")


def check_refit_on_other_n_contrasts(estimator, data):
    """A fitted estimator may be fitted on another number of contrasts."""
    fitted = data.fitted(estimator).fit(data.more(n_contrasts=3))
    assert fitted.n_contrasts_in_ == 3, f"n_contrasts_in_ should be 3, got {fitted.n_contrasts_in_}."


def check_failed_fit_leaves_unfitted(estimator, data):
    """After ``fit`` refused its input the estimator is as unfitted as before."""
    estimator = clone(estimator)
    with contextlib.suppress(ValueError):
        estimator.fit(np.full_like(data.X, np.nan))
    assert_raises(NotFittedError, "", lambda: estimator.score_samples(data.X), "scoring after a refused fit")


def check_all_background_slices_teach_nothing(estimator, data):
    """Slices without foreground do not change what is learned."""
    visible = data.foreground.any(axis=(1, 2))
    actual = outputs(clone(estimator).fit(data.X[visible]), data.X)
    assert_close_outputs(
        actual, outputs(data.fitted(estimator), data.X), "slices of background change the fit"
    )


def check_n_contrasts_in(estimator, data):
    """``fit`` learns ``n_contrasts_in_``, and ``background_`` is the darkest value of every contrast."""
    assert not hasattr(clone(estimator), "n_contrasts_in_"), "n_contrasts_in_ should appear in fit."
    fitted = data.fitted(estimator)
    assert fitted.n_contrasts_in_ == 2, f"n_contrasts_in_ should be 2, got {fitted.n_contrasts_in_}."
    if hasattr(fitted, "background_"):
        assert_array_equal(fitted.background_, np.nanmin(data.images, axis=(0, 2, 3)))


def check_feature_names(estimator, data):
    """``get_feature_names_out`` names the contrasts."""
    fitted = data.fitted(estimator)
    names = [list(fitted.get_feature_names_out(names)) for names in (None, ["T1w", "FLAIR"])]
    assert len(names[0]) == 2, f"There should be a name for each of 2 contrasts, got {names[0]}."
    assert names[1] == ["T1w", "FLAIR"], f"The names that are given should be kept, got {names[1]}."
    assert_raises(
        ValueError, "2", lambda: fitted.get_feature_names_out(["T1w"]), "one name for two contrasts"
    )
    unfitted = clone(estimator)
    assert_raises(NotFittedError, "", unfitted.get_feature_names_out, "get_feature_names_out before fit")


def check_learned_attributes_are_plain(estimator, data):
    """No optimizer, net or callback is kept; networks rest on the CPU in evaluation mode."""
    fitted = data.fitted(estimator)
    _assert_plain(fitted)
    outputs(fitted, data.X)
    _assert_plain(fitted)


def _assert_plain(fitted):
    for name, value in vars(fitted).items():
        origin = type(value).__module__
        assert not origin.startswith(("skorch", "torch.optim")), f"{name} should not be kept after fit."
        if isinstance(value, torch.nn.Module):
            _assert_at_rest(name, value)


def _assert_at_rest(name, network):
    assert not any(part.training for part in network.modules()), f"{name} should be in evaluation mode."
    for parameter in network.parameters():
        assert parameter.device.type == "cpu", f"{name} should be on the CPU, is on {parameter.device}."
        assert parameter.grad is None, f"{name} should not keep gradients."


def check_quiet(estimator, data):
    """Nothing is printed unless ``verbose`` asks for it."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        outputs(clone(estimator).fit(data.X), data.X)
    said = out.getvalue() + err.getvalue()
    assert not said, f"fit and scoring should print nothing, printed: {said!r}"


def check_loss_curve(estimator, data):
    """``loss_curve_`` has one finite number per epoch."""
    curve = data.fitted(estimator).loss_curve_
    assert len(curve) == estimator.max_epochs, f"{estimator.max_epochs} epochs, but {len(curve)} losses."
    assert np.isfinite(curve).all(), "loss_curve_ should be finite."


def check_unknown_device(estimator, data):
    """A device that does not exist is a ValueError that names it."""
    estimator = clone(estimator).set_params(device="abacus")
    assert_raises(ValueError, "abacus", lambda: estimator.fit(data.X), "fit on an unknown device")


def check_warm_start(estimator, data):
    """``warm_start`` goes on from the weights of the last fit, and refuses another number of contrasts."""
    fitted = data.fitted(estimator)
    frozen = {name: 1e-12 for name in fitted.get_params(deep=False) if name.endswith("lr")}
    before = [p.detach().clone() for p in fitted.module_.parameters()]
    fitted.set_params(warm_start=True, random_state=1, **frozen).fit(data.X)
    for old, new in zip(before, fitted.module_.parameters(), strict=True):
        assert_allclose(
            new.detach(), old, atol=1e-6, err_msg="warm_start does not go on from the last weights"
        )
    X = data.more(n_contrasts=3)
    assert_raises(
        ValueError, r"warm_start.*2 contrasts.*\b3\b", lambda: fitted.fit(X), "warm start with 3 contrasts"
    )
