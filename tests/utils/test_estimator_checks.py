"""Estimators that keep the contract pass every check, and every check catches an estimator that breaks it."""

import copy
import re

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.utils import estimator_checks as sklearn_checks

from skad.utils import estimator_checks
from skad.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from skad.utils.estimator_checks.generator import REUSED, check_name

from ..tiny_estimators import TinyDistance, TinyReconstructor, TinyResidual

GOOD = [TinyReconstructor(), TinyResidual(), TinyDistance()]


@parametrize_with_checks(GOOD)
def test_estimators_that_keep_the_contract_pass(estimator, check):
    check(estimator)


def names_of_checks(*estimators):
    return {check_name(check) for each in estimators for _, check in estimator_checks_generator(each)}


class Gullible(TinyResidual):
    """Takes whatever comes."""

    def _check_fit_input(self, X):
        super()._check_fit_input(np.zeros((1, 2, 2, 1, 1)))
        return np.asarray(X, dtype=np.float32)

    def _check_score_input(self, X):
        return np.asarray(X, dtype=np.float32)


def after_fit(base, change):
    """A class whose ``fit`` ends with ``change(self, X, y)``."""

    class Changed(base):
        def fit(self, X, y=None):
            super().fit(X, y)
            change(self, X, y)
            return self

    return Changed


def overriding(base, **members):
    return type("Overriding", (base,), members)


def rescale(factor):
    """A change of what is learned by a factor that should not matter."""

    def change(self, X, y):
        self.scale_ *= float(factor(self, X, y))

    return change


class Unpicklable(TinyResidual):
    def fit(self, X, y=None):
        self.function_ = lambda: None
        return super().fit(X)


def takes_other_kind_in_silence():
    def tags(self):
        result = TinyResidual.__sklearn_tags__(self)
        result.input_tags.images = False
        return result

    return overriding(TinyResidual, _accepts="both", __sklearn_tags__=tags)


def ignores_its_device():
    class Changed(TinyReconstructor):
        def fit(self, X, y=None):
            asked, self.device = self.device, "cpu"
            super().fit(X, y)
            self.device = asked
            return self

    return Changed


def starts_cold():
    class Changed(TinyReconstructor):
        def fit(self, X, y=None):
            vars(self).pop("module_", None)
            return super().fit(X, y)

    return Changed


def remembers_before_it_checks():
    class Changed(TinyResidual):
        def fit(self, X, y=None):
            self.offset_, self.n_contrasts_in_, self.scale_ = 0.0, 2, 1.0
            return super().fit(X, y)

    return Changed


def needs_two_slices(self, X, y):
    if len(X) < 2:
        raise RuntimeError("not enough")


def refuses_other_sizes(self, X):
    if X.shape[-1] != 24:
        raise ValueError("no")
    return TinyResidual._score(self, X)


class OneForm(TinyDistance):
    """Says it takes both forms, but only takes the one it was fitted on."""

    def fit(self, X, y=None):
        self.ndim_ = X.ndim
        return super().fit(X)

    def _score(self, X):
        if X.ndim != self.ndim_:
            raise IndexError
        return super()._score(X)


def refuses_refit(self, X, y):
    if getattr(self, "first_", X.shape[2]) != X.shape[2]:
        raise RuntimeError("built for other contrasts")
    self.first_ = X.shape[2]


def counts_calls(self, X):
    self.calls_ = getattr(self, "calls_", 0) + 1
    return TinyResidual._score(self, X) - self.calls_


def writes_into(self, X, y):
    X *= 2


def moves_global_generator(self, X, y):
    np.random.random()  # noqa: NPY002


def prints(self, X, y):
    print("done")


def dies_with_labels(self, X, y):
    if y is not None:
        raise RuntimeError("y?")


def fit_without_y(self, X):
    return TinyResidual.fit(self, X)


def raw_score(self, X):
    return np.asarray(self._score(X), dtype=np.float32)


def images_swapped(self, X):
    return TinyReconstructor.transform(self, X)[:, ::-1]


def never_missing(self, X):
    return -np.abs(X[:, 0] - X[:, 1]).mean(axis=1) / self.scale_


def nan_when_constant(self, X):
    with np.errstate(invalid="ignore"):
        return TinyResidual._score(self, X) / np.float32(self.scale_ > 0.01) * np.float32(self.scale_ > 0.01)


def learn(**attributes):
    return lambda self, X, y: vars(self).update(attributes)


BROKEN = {
    "check_wrong_ndim": Gullible,
    "check_wrong_kind_of_input": takes_other_kind_in_silence(),
    "check_images_after_pairs": OneForm,
    "check_wrong_n_contrasts": Gullible,
    "check_empty_input": Gullible,
    "check_infinity": Gullible,
    "check_nan_in_some_contrasts": Gullible,
    "check_content_that_is_no_number": Gullible,
    "check_dtypes": after_fit(TinyResidual, rescale(lambda self, X, y: X.dtype.itemsize)),
    "check_lists_and_strides": after_fit(TinyResidual, rescale(lambda self, X, y: 1 + X.flags.c_contiguous)),
    "check_memmap": after_fit(TinyResidual, rescale(lambda self, X, y: 1 + isinstance(X, np.memmap))),
    "check_missing_contrast": overriding(TinyResidual, _score=never_missing),
    "check_only_background": overriding(TinyResidual, _normality=raw_score),
    "check_one_slice": after_fit(TinyResidual, needs_two_slices),
    "check_constant_images": overriding(TinyResidual, _score=nan_when_constant),
    "check_other_image_size": overriding(TinyResidual, _score=refuses_other_sizes),
    "check_unfitted": Gullible,
    "check_fit_returns_self": overriding(TinyResidual, fit=lambda self, X, y=None: None),
    "check_fit_ignores_y": after_fit(TinyResidual, rescale(lambda self, X, y: 1 if y is None else 2)),
    "check_fit_keeps_params": after_fit(TinyResidual, learn(contamination=0.02)),
    "check_fit_keeps_data": after_fit(TinyResidual, writes_into),
    "check_fit_keeps_global_random_state": after_fit(TinyResidual, moves_global_generator),
    "check_fit_idempotent": after_fit(
        TinyResidual,
        lambda self, X, y: vars(self).update(scale_=self.scale_ + getattr(self, "n_fits_", 0), n_fits_=1),
    ),
    "check_same_seed_same_result": after_fit(TinyResidual, rescale(lambda self, X, y: torch.rand(()))),
    "check_refit_on_other_n_contrasts": after_fit(TinyResidual, refuses_refit),
    "check_failed_fit_leaves_unfitted": remembers_before_it_checks(),
    "check_all_background_slices_teach_nothing": after_fit(TinyResidual, rescale(lambda self, X, y: len(X))),
    "check_n_contrasts_in": after_fit(TinyResidual, learn(n_contrasts_in_=7)),
    "check_feature_names": overriding(
        TinyResidual, get_feature_names_out=lambda self, names=None: ["a", "b"]
    ),
    "check_learned_attributes_are_plain": after_fit(
        TinyReconstructor, lambda self, X, y: self.module_.train()
    ),
    "check_quiet": after_fit(TinyResidual, prints),
    "check_loss_curve": after_fit(TinyReconstructor, learn(loss_curve_=[])),
    "check_unknown_device": ignores_its_device(),
    "check_warm_start": starts_cold(),
    "check_shapes_and_dtypes": overriding(
        TinyResidual, predict=lambda self, X: TinyResidual.predict(self, X) * 1.0
    ),
    "check_background": overriding(TinyResidual, _normality=raw_score),
    "check_subset_invariance": overriding(
        TinyResidual, _score=lambda self, X: TinyResidual._score(self, X) * np.float32(len(X))
    ),
    "check_order_invariance": overriding(
        TinyResidual, _score=lambda self, X: TinyResidual._score(self, X) * np.arange(len(X))[:, None, None]
    ),
    "check_scoring_twice": overriding(TinyResidual, _score=counts_calls),
    "check_fit_and_score_in_one": overriding(
        TinyResidual, fit_predict=lambda self, X, y=None: np.zeros(len(X), dtype=int)
    ),
    "check_no_data_frames": overriding(TinyResidual, transform=lambda self, X: list(X)),
    "check_pair_contract": overriding(TinyReconstructor, transform=images_swapped),
    "check_sign": overriding(
        TinyResidual, decision_function=lambda self, X: self.offset_ - self.score_samples(X)
    ),
    "check_contamination": after_fit(TinyResidual, learn(offset_=0.0)),
    "check_pickle": Unpicklable,
    "check_clone": overriding(TinyResidual, __sklearn_clone__=lambda self: copy.deepcopy(self)),
    "check_pipeline": overriding(TinyResidual, fit=fit_without_y),
    "check_grid_search": after_fit(TinyResidual, dies_with_labels),
}


@pytest.mark.parametrize("name", BROKEN)
def test_check_catches_an_estimator_that_breaks_it(name):
    pairs = estimator_checks_generator(BROKEN[name]())
    (estimator, check), *_ = [(each, check) for each, check in pairs if check_name(check) == name]
    with pytest.raises(Exception):  # noqa: B017
        check(estimator)


def test_every_check_has_an_estimator_that_breaks_it():
    assert names_of_checks(*GOOD) - set(REUSED) - {"check_param_validation"} == set(BROKEN)


def test_docstring_names_the_replacement_of_every_check_of_scikit_learn():
    ordinary = [PCA(), IsolationForest(), EllipticEnvelope()]
    theirs = {
        check_name(check) for each in ordinary for _, check in sklearn_checks.estimator_checks_generator(each)
    }
    named = set(re.findall(r"check_\w+", estimator_checks.__doc__))
    assert theirs - set(REUSED) <= named
    assert named <= theirs | names_of_checks(*GOOD)


def test_image_size_is_passed_on():
    sizes = {
        check.keywords["data"].X.shape[-2:]
        for _, check in estimator_checks_generator(TinyResidual(), image_size=(32, 40))
        if "data" in getattr(check, "keywords", {})
    }
    assert sizes == {(32, 40)}


def test_expected_failures_are_marked():
    mark = parametrize_with_checks(
        [TinyResidual()], expected_failed_checks=lambda estimator: {"check_sign": "known"}
    )
    marked = [param.id for param in mark.args[1] if param.marks]
    assert marked == ["TinyResidual()-check_sign-pairs"]


def test_estimators_of_others_need_no_tags_of_skad():
    forms = {
        check.keywords["data"].pairs
        for _, check in estimator_checks_generator(BaseEstimator())
        if "data" in getattr(check, "keywords", {})
    }
    assert forms == {False}
