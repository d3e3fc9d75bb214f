"""A batch as training sees it."""

import pytest
import torch

from skad.nn.background import split_background
from skad.utils.estimator_checks.data import make_check_images


@pytest.fixture
def batch():
    """Filled images (8, 2, 20, 24) and their foreground."""
    return split_background(torch.from_numpy(make_check_images(8)), torch.tensor([-3.0, -4.0]))
