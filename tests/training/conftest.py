"""Slices to train on."""

import pytest

from skad.utils.estimator_checks.data import make_check_images


@pytest.fixture
def images():
    """7 slices (one without foreground), 2 contrasts, 20 x 24."""
    return make_check_images(7)
