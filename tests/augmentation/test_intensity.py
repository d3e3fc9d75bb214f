"""Changes of intensity: how far, how they are distributed, and that nothing moves."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from skad.augmentation import Intensity
from skad.training import seeded


def change(batch, seed=0, **params):
    with seeded(seed):
        return Intensity(**params)(*batch)


def test_intensity_factors_are_lognormal_per_slice_and_contrast():
    images = torch.ones(3000, 2, 1, 1)
    changed = change((images, torch.ones(3000, 1, 1, 1, dtype=torch.bool)), scaling=0.3)
    logs = changed.flatten(1).log()
    torch.testing.assert_close(logs.mean(0), torch.zeros(2), atol=0.03, rtol=0)
    torch.testing.assert_close(logs.std(0), torch.full((2,), 0.3), atol=0.02, rtol=0)
    assert abs(torch.corrcoef(logs.T)[0, 1]) < 0.06


def test_shifts_are_normal_in_units_of_the_images():
    changed = change(
        (torch.zeros(3000, 2, 1, 1), torch.ones(3000, 1, 1, 1, dtype=torch.bool)),
        shift=0.5,
    )
    torch.testing.assert_close(changed.std(), torch.tensor(0.5), atol=0.02, rtol=0)


def _drawn(monkeypatch, name, value):
    """Every draw of a kind is this number."""
    monkeypatch.setattr(torch, name, lambda shape, device=None: torch.full(shape, float(value)))


@pytest.mark.parametrize(("drawn", "amount"), [(1.0, 1.5), (0.75, 0.75), (0.0, -1.0)])
def test_sharpness_adds_or_takes_away_what_a_gaussian_blur_removes(monkeypatch, batch, drawn, amount):
    images, foreground = batch
    _drawn(monkeypatch, "rand", drawn)
    changed = change(batch, sharpness=1.5)
    for i, c in np.ndindex(images.shape[:2]):
        inside = foreground[i, 0].numpy().astype(float)
        image = images[i, c].numpy().astype(float)
        blurred = gaussian_filter(image * inside, 1.0, mode="constant", truncate=3.0)
        blurred = blurred / np.maximum(gaussian_filter(inside, 1.0, mode="constant", truncate=3.0), 1e-9)
        expected = np.where(inside > 0, image + amount * (image - blurred), image)
        np.testing.assert_allclose(changed[i, c], expected, atol=1e-4)


def test_gamma_raises_the_foreground_to_a_power_between_its_ends(monkeypatch, batch):
    images, foreground = batch
    _drawn(monkeypatch, "randn", 1.0)
    changed = change(batch, gamma=0.5)
    for i, c in np.ndindex(images.shape[:2]):
        inside = foreground[i, 0]
        if not inside.any():
            continue
        values = images[i, c][inside].double()
        low, high = values.min(), values.max()
        expected = low + (high - low) * ((values - low) / (high - low)) ** np.exp(0.5)
        torch.testing.assert_close(changed[i, c][inside].double(), expected, atol=1e-4, rtol=0)
        assert torch.equal(changed[i, c][~inside], images[i, c][~inside])
