"""Packages of extras: there, or told with what brings them."""

import json

import pytest

from skad.utils.optional import import_extra


def test_a_module_that_is_there_is_given():
    assert import_extra("json", "never told") is json


def test_one_that_is_missing_is_told_with_the_extra_and_the_reason():
    with pytest.raises(ImportError, match=r"^needs \[x\]: No module named 'not_a_module'$"):
        import_extra("not_a_module", "needs [x]: {error}")
