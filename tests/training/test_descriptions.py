"""Descriptions that estimators share appear in the help of each of them."""

import inspect

import pytest

import skad.reconstruction
import skad.scoring
from skad.training.descriptions import _DESCRIPTIONS

TRAINED = [
    value
    for package in (skad.reconstruction, skad.scoring)
    for value in (getattr(package, name) for name in package.__all__)
    if inspect.isclass(value) and "warm_start" in inspect.signature(value).parameters
]


@pytest.mark.parametrize("estimator", TRAINED, ids=lambda each: each.__name__)
def test_every_shared_parameter_is_described_and_no_placeholder_is_left(estimator):
    lines = inspect.getdoc(estimator).splitlines()
    for name in _DESCRIPTIONS:
        assert any(line.startswith(f"{name} : ") for line in lines)
        assert f"{{{name}}}" not in lines
