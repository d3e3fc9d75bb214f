import numpy as np
import pytest


@pytest.fixture
def lesions():
    """Labels 0, 1, 2 and a noisy map with NaN background; no two axes of (5, 7, 11) are equal."""
    rng = np.random.default_rng(0)
    y_true = rng.choice([0, 1, 2], size=(5, 7, 11), p=[0.7, 0.2, 0.1])
    anomaly = rng.normal(size=y_true.shape) + y_true
    anomaly[:, 0], anomaly[:, :, -2:] = np.nan, np.nan
    return y_true, anomaly.astype(np.float32)
