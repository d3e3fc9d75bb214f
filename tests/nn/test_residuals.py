"""The one definition of a residual: the same for arrays and Tensors, and in the order it says."""

import numpy as np
import pytest
import torch

from skad.nn.residuals import KINDS, residual

RNG = np.random.default_rng(0)
OBSERVED, REFERENCE, SPREAD = (RNG.normal(size=(2, 3, 7, 9)) for _ in range(3))
SPREAD = np.exp(SPREAD)
EXPECTED = {
    "signed": lambda d: d,
    "absolute": np.abs,
    "squared": np.square,
    "signed squared": lambda d: np.sign(d) * np.square(d),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_what_their_names_say(kind):
    expected = EXPECTED[kind](OBSERVED - REFERENCE)
    np.testing.assert_allclose(residual(OBSERVED, REFERENCE, kind), expected)
    found = residual(torch.from_numpy(OBSERVED), torch.from_numpy(REFERENCE), kind)
    np.testing.assert_allclose(found, expected)


def test_the_signed_residual_is_smoothed_then_scaled_then_made_positive():
    def smooth(difference):
        return difference - difference.mean()

    difference = OBSERVED - REFERENCE
    found = residual(OBSERVED, REFERENCE, "absolute", smooth=smooth, spread=SPREAD)
    np.testing.assert_allclose(found, np.abs((difference - difference.mean()) / SPREAD))
