"""Slices that a small autoencoder learns in seconds."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def blobs():
    """40 slices of 16 x 24 pixels: an ellipse whose place and brightness vary, in two units; NaN margin."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:16, :24]
    x, y, brightness = rng.uniform((6, 5, 0.5), (17, 10, 1.0), (40, 3)).T[:, :, None, None]
    ellipses = brightness * np.exp(-(((columns - x) / 5) ** 2) - ((rows - y) / 3) ** 2)
    images = np.stack([ellipses, 50 - 20 * ellipses], axis=1).astype(np.float32)
    images[:, :, :, :2] = np.nan
    return images
