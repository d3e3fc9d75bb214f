"""Which checks an estimator has to pass, told by its tags, methods and parameters."""

import re
from functools import partial

from sklearn import config_context
from sklearn.base import clone, is_outlier_detector
from sklearn.utils import estimator_checks as sklearn_checks
from sklearn.utils import get_tags

from skad.utils.estimator_checks import composition, fitting, inputs, results
from skad.utils.estimator_checks.data import IMAGE_SIZE, CheckData

# scikit-learn's own checks that do not need 2-D X; a name that the installed version lacks is left out.
REUSED = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


def parametrize_with_checks(estimators, *, image_sizes=None, expected_failed_checks=None):
    """Pytest decorator that runs all checks of skad on each estimator.

    Parameters
    ----------
    estimators : list of estimators
        Reconstructors, or scorers of pairs or images, with parameters that make ``fit`` fast. None as
        ``random_state`` is set to 0.
    image_sizes : dict of class to (int, int), default=None
        Height and width for estimators that cannot take 20 x 24 pixels.
    expected_failed_checks : callable, default=None
        ``expected_failed_checks(estimator)`` -> dict of check name to reason: marked as expected failures.

    Returns
    -------
    pytest.MarkDecorator
        ``pytest.mark.parametrize`` of "estimator" and "check".

    See Also
    --------
    skad.utils.estimator_checks.check_estimator : Runs the checks at once.

    Examples
    --------
    >>> from skad.utils.estimator_checks import parametrize_with_checks
    >>> @parametrize_with_checks([])  # your estimators here
    ... def test_common(estimator, check):
    ...     check(estimator)
    """
    import pytest  # scikit-learn does the same: pytest is needed only where it runs

    params = []
    for original in estimators:
        expected = expected_failed_checks(original) if expected_failed_checks else {}
        size = (image_sizes or {}).get(type(original), IMAGE_SIZE)
        for estimator, check in estimator_checks_generator(original, image_size=size):
            reason = expected.get(check_name(check))
            marks = [pytest.mark.xfail(reason=reason)] if reason else []
            params.append(pytest.param(estimator, check, marks=marks, id=_describe(estimator, check)))
    return pytest.mark.parametrize("estimator, check", params)


def check_estimator(estimator, *, image_size=IMAGE_SIZE):
    """Run all checks of skad on an estimator; the first failing check raises its error.

    Parameters
    ----------
    estimator : estimator
        A reconstructor or a scorer.
    image_size : (int, int), default=(20, 24)
        Height and width of the slices used by the checks.

    Raises
    ------
    AssertionError
        A check failed; checks may also raise the estimator's own errors.

    See Also
    --------
    skad.utils.estimator_checks.parametrize_with_checks : One test per check for pytest.

    Examples
    --------
    >>> from skad.scoring import IntensityScorer
    >>> from skad.utils.estimator_checks import check_estimator
    >>> check_estimator(IntensityScorer())  # doctest: +SKIP
    """
    for instance, check in estimator_checks_generator(estimator, image_size=image_size):
        check(instance)


def estimator_checks_generator(estimator, *, image_size=IMAGE_SIZE):
    """Yield all checks of an estimator.

    Parameters
    ----------
    estimator : estimator
        A reconstructor or a scorer.
    image_size : (int, int), default=(20, 24)
        Height and width of the slices used by the checks.

    Yields
    ------
    estimator : estimator
        A clone with a fixed ``random_state``.
    check : callable
        ``check(estimator)`` raises where the contract is broken.

    See Also
    --------
    skad.utils.estimator_checks.check_estimator : Runs the checks.

    Examples
    --------
    >>> from skad.scoring import IntensityScorer
    >>> from skad.utils.estimator_checks import estimator_checks_generator
    >>> estimator, check = next(estimator_checks_generator(IntensityScorer()))
    >>> check(estimator)
    """
    estimator = _with_a_seed(clone(estimator))
    name = type(estimator).__name__
    for check in _scikit_learn_checks(estimator):
        yield estimator, partial(check, name)
    tags = get_tags(estimator).input_tags
    forms = [pairs for pairs in (False, True) if getattr(tags, "pairs" if pairs else "images", not pairs)]
    for data in [CheckData(pairs=pairs, image_size=image_size) for pairs in forms]:
        for check in _checks_of(estimator):
            yield estimator, partial(check, data=data)


def _with_a_seed(estimator):
    """Every ``random_state`` of None set to 0, also in nested estimators."""
    params = estimator.get_params()
    unseeded = [name for name in params if name.split("__")[-1] == "random_state" and params[name] is None]
    return estimator.set_params(**dict.fromkeys(unseeded, 0))


def check_name(check):
    """The name of a check, also when its data are already bound to it."""
    return getattr(check, "func", check).__name__


def _scikit_learn_checks(estimator):
    names = [*REUSED, *(["check_param_validation"] if hasattr(estimator, "_parameter_constraints") else [])]
    return [getattr(sklearn_checks, name) for name in names if hasattr(sklearn_checks, name)]


def _checks_of(estimator):
    for module in (inputs, fitting, results, composition):
        yield from (check for check in _defined_in(module) if check not in _WHERE or _WHERE[check](estimator))


def _defined_in(module):
    named = [value for name, value in vars(module).items() if name.startswith("check_")]
    return [check for check in named if check.__module__ == module.__name__]


def _has(*params):
    return lambda estimator: set(params) <= estimator.get_params(deep=False).keys()


def _reconstructs(estimator):
    return hasattr(estimator, "reconstruct")


# Checks that only some estimators have to pass; all others are for everyone.
_WHERE = {
    fitting.check_loss_curve: _has("max_epochs"),
    fitting.check_unknown_device: _has("device"),
    fitting.check_warm_start: _has("warm_start"),
    results.check_no_data_frames: lambda estimator: hasattr(estimator, "transform"),
    results.check_pair_contract: _reconstructs,
    results.check_sign: is_outlier_detector,
    results.check_contamination: _has("contamination"),
}


def _describe(estimator, check):
    data = getattr(check, "keywords", {}).get("data")
    form = "" if data is None else "-pairs" if data.pairs else "-images"
    with config_context(print_changed_only=True):
        return re.sub(r"\s", "", f"{estimator}-{check_name(check)}{form}")
